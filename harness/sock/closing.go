package sock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
)

// A Closing is one of the ways in which a program ends a connection.
type Closing struct {
	// Name is the call, as a reader of the kernel's source would write it.
	Name string
	// Keeps is true where the program keeps the socket, and Reads where it reads
	// on from it to the peer's FIN.
	Keeps, Reads bool
	// Entrusted is true where the end is that of a process which owns the
	// socket: Conn.Entrust has to come before.
	Entrusted bool
	// Blocks is true where the call may wait for the peer: it takes a goroutine
	// of its own.
	Blocks bool

	make func(*Conn) (clock.Instant, error)
}

// The ways to end a connection.
var (
	// ShutdownWrite is what a lingering close begins with, nginx's for one: a
	// FIN, and a socket that stays open until the peer's FIN has been read.
	ShutdownWrite = Closing{Name: "shutdown(SHUT_WR)", Keeps: true, Reads: true, make: (*Conn).Shutdown}
	// ShutdownBoth also wants to read no more; the socket stays the program's.
	ShutdownBoth = Closing{Name: "shutdown(SHUT_RDWR)", Keeps: true, make: (*Conn).ShutdownBoth}
	// Close leaves everything else to the kernel. With something still unread it
	// sends a RST.
	Close = Closing{Name: "close()", make: (*Conn).Close}
	// Exit is the end of the program: the kernel closes what it has left open.
	Exit = Closing{Name: "exit()", Entrusted: true, make: (*Conn).exit}
	// Kill is the end of a program that has no say in it.
	Kill = Closing{Name: "SIGKILL", Entrusted: true, make: (*Conn).kill}
)

// CloseLingering is close(2) with SO_LINGER set (socket(7)): it waits up to that
// many seconds for the FIN to be acknowledged, non-blocking though the socket is
// (net/ipv4/af_inet.c, inet_release); with 0 it sends a RST at once, and no FIN.
func CloseLingering(seconds int) Closing {
	return Closing{
		Name:   fmt.Sprintf("close() with SO_LINGER %d s", seconds),
		Blocks: seconds > 0,
		make:   func(c *Conn) (clock.Instant, error) { return c.closeLingering(seconds) },
	}
}

// End ends the connection in one of the ways and returns when the call was
// made.
func (c *Conn) End(how Closing) (clock.Instant, error) { return how.make(c) }

// Shutdown is shutdown(SHUT_WR): it sends a FIN and leaves the socket to the
// program, which goes on reading. It returns when the call was made.
func (c *Conn) Shutdown() (clock.Instant, error) { return c.shutdown(unix.SHUT_WR, "SHUT_WR") }

// ShutdownBoth is shutdown(SHUT_RDWR): reads then find the end at once, also
// before the peer's FIN. It returns when the call was made.
func (c *Conn) ShutdownBoth() (clock.Instant, error) { return c.shutdown(unix.SHUT_RDWR, "SHUT_RDWR") }

func (c *Conn) shutdown(how int, name string) (clock.Instant, error) {
	at := clock.Now()
	if err := c.socket.control(func(fd int) error { return unix.Shutdown(fd, how) }); err != nil {
		return at, fmt.Errorf("shutdown(%s) the connection to %v: %w", name, c.Remote, err)
	}
	return at, nil
}

// Close is close(2): it gives the socket back to the kernel, which finishes
// the connection by itself; a process that owns the socket is killed. Nothing
// else may be waiting on the connection. It returns when the call was made; a
// second call does nothing.
func (c *Conn) Close() (clock.Instant, error) {
	if c.socket.owner != nil {
		at := clock.Now()
		c.socket.owner.dismiss()
		return at, nil
	}
	at := clock.Now()
	if err := c.socket.close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return at, fmt.Errorf("close the connection to %v: %w", c.Remote, err)
	}
	return at, nil
}

func (c *Conn) closeLingering(seconds int) (clock.Instant, error) {
	linger := &unix.Linger{Onoff: 1, Linger: int32(seconds)}
	if err := c.socket.control(func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, linger)
	}); err != nil {
		return 0, fmt.Errorf("set SO_LINGER of the connection to %v to %d s: %w", c.Remote, seconds, err)
	}
	return c.Close()
}
