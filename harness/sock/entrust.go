package sock

import (
	"fmt"
	"os"

	"github.com/finwait/finwait/harness/clock"
)

// errEntrusted wraps os.ErrClosed, which it is for this process.
var errEntrusted = fmt.Errorf("the socket was entrusted to another process: %w", os.ErrClosed)

// Entrust hands the socket to a process of its own, which from then on is the
// only one to hold it and waits for the order to exit: End with Exit or Kill.
// The process is this program once more; it holds nothing else, and goes with
// this process, with the context, and with Close. Nothing may be waiting on the
// connection, and all that is left to do with it afterwards is to end it: every
// other method then returns an error that wraps os.ErrClosed.
func (c *Conn) Entrust() error {
	fail := func(err error) error {
		return fmt.Errorf("entrust the connection to %v to a process: %w", c.Remote, err)
	}
	if err := c.socket.control(func(int) error { return nil }); err != nil {
		return fail(err)
	}
	owner, err := startOwner(c.socket.ctx, c.socket.file)
	if err != nil {
		return fail(err)
	}
	err = c.socket.close()
	c.socket.owner = owner
	if err != nil {
		owner.dismiss()
		return fail(err)
	}
	return nil
}

// exit has the process that owns the socket call exit(2).
func (c *Conn) exit() (clock.Instant, error) { return c.order("exit()", (*process).exit) }

// kill kills the process that owns the socket.
func (c *Conn) kill() (clock.Instant, error) { return c.order("SIGKILL", (*process).kill) }

func (c *Conn) order(name string, give func(*process) error) (clock.Instant, error) {
	at := clock.Now()
	err := errNoOwner
	if c.socket.owner != nil {
		err = give(c.socket.owner)
	}
	if err != nil {
		return at, fmt.Errorf("end the connection to %v by its process's %s: %w", c.Remote, name, err)
	}
	return at, nil
}
