package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// powerOffTime is how much of the host's time a guest that has told its end
// gets to power itself off.
const powerOffTime = 2 * time.Second

// A course is what has been seen of a guest.
type course struct {
	booted    chan struct{} // closed when init has told
	hasBooted func()        // closes it
	ready     *guest.Ready
	exit      *guest.Exit
	fail      *guest.Fail
	console   console
	garbled   error // why what the guest reported made no sense
	control   error // why QEMU could not be made to do what it had to
	expired   bool  // QEMU was killed for its silence
}

// errPanicked says that the guest stopped itself when nobody expects it: that is
// what a kernel with a driver for pvpanic does when it panics.
var errPanicked = errors.New("pvpanic tells so")

// awaitStop waits until init has told that it has booted, and stopped the machine.
func awaitStop(q *monitor, booted <-chan struct{}) error {
	if _, err := q.await("GUEST_PANICKED"); err != nil {
		return err
	}
	if _, err := q.await("STOP"); err != nil {
		return err
	}
	select {
	case <-booted:
		return nil
	case <-time.After(powerOffTime): // it has left the guest, so it comes at once or never
		return errPanicked
	}
}

// conduct makes a new QEMU ready to go on with an errand, has it go on, and waits
// for what must not come.
func (q *monitor) conduct(prepare func(*monitor, <-chan struct{}) error, booted <-chan struct{}) error {
	if err := q.open(); err != nil {
		return err
	}
	if err := prepare(q, booted); err != nil {
		return err
	}
	if err := q.proceed(); err != nil {
		return err
	}
	if _, err := q.await("GUEST_PANICKED"); err != nil {
		return err
	}
	return errPanicked
}

// follow watches the guest until QEMU has ended and all that it wrote is read.
// prepare is what has to be done by QEMU's monitor before the guest goes on with
// its errand, which has to be within the deadline.
func (m Machine) follow(
	ctx context.Context, q *qemu, line func([]byte), deadline time.Duration, prepare func(*monitor, <-chan struct{}) error,
) (Result, error) {
	defer context.AfterFunc(ctx, q.kill)()
	c := &course{booted: make(chan struct{}), console: console{out: m.Console}}
	c.hasBooted = sync.OnceFunc(func() { close(c.booted) })
	messages := make(chan guest.Message)
	read := c.read(q, line, func(said guest.Message) { messages <- said })
	control := make(chan error, 1)
	go func() { control <- q.monitor.conduct(prepare, c.booted) }()
	defer q.monitor.close()

	limit := time.NewTimer(deadline)
	defer limit.Stop()
	expired, exited := limit.C, q.exited
	for {
		select {
		case said := <-messages:
			c.note(said)
			switch {
			case c.ready != nil || c.over():
				limit.Reset(m.limit(c))
			case said.Booted != nil:
				limit.Reset(deadline) // the machine is kept first
			}
		case <-q.alive:
			if c.ready != nil && !c.over() {
				limit.Reset(m.patience())
			}
		case err := <-control:
			if !gone(err) {
				c.control = err
				q.kill()
			}
		case <-expired:
			c.expired = true
			q.kill()
		case <-exited:
			// What is left to read takes as long as line and Console take.
			exited, expired = nil, nil
		case <-read:
			<-q.exited
			return m.judge(ctx, c, q.err, deadline)
		}
	}
}

// gone reports whether an error of the monitor's only says that QEMU has ended,
// which says more by itself.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// limit is how long the guest may be silent from now on.
func (m Machine) limit(c *course) time.Duration {
	if c.over() {
		return powerOffTime
	}
	return m.patience()
}

// read reads all that the guest says; the channel is closed when all of it has
// ended, as it does with QEMU.
func (c *course) read(q *qemu, line func([]byte), message func(guest.Message)) <-chan struct{} {
	var readers sync.WaitGroup
	readers.Go(func() {
		_, _ = io.Copy(&c.console, q.console) // how QEMU ended says more than how its output did
		c.console.close()
	})
	var garbled [2]error
	readers.Go(func() {
		if garbled[0] = guest.ScanMessages(q.init, message); garbled[0] != nil {
			q.kill()
		}
	})
	readers.Go(func() {
		if garbled[1] = guest.Scan(q.stream, line); garbled[1] != nil {
			q.kill()
		}
	})
	read := make(chan struct{})
	go func() {
		readers.Wait()
		c.garbled = errors.Join(garbled[:]...)
		close(read)
	}()
	return read
}

func (c *course) note(said guest.Message) {
	switch {
	case said.Booted != nil:
		c.hasBooted()
	case said.Ready != nil:
		c.ready = said.Ready
	case said.Exit != nil:
		c.exit = said.Exit
	case said.Fail != nil:
		c.fail = said.Fail
	}
}

// over says whether init has said all that it had to say.
func (c *course) over() bool { return c.exit != nil || c.fail != nil }

// judge tells success from failure; ended is how QEMU ended.
func (m Machine) judge(ctx context.Context, c *course, ended error, deadline time.Duration) (Result, error) {
	var result Result
	if c.ready != nil {
		result.Release, result.Uptime = c.ready.Release, c.ready.Uptime
	}
	if c.exit != nil && c.garbled == nil {
		result.Status, result.Ran = c.exit.Status, c.exit.Uptime-result.Uptime
		return result, nil
	}
	reason, err := m.explain(ctx, c, ended, deadline)
	failure := m.failure(reason, err)
	failure.Console = c.console.last
	return result, failure
}

// explain finds the reason for which there was no exit status.
func (m Machine) explain(ctx context.Context, c *course, ended error, deadline time.Duration) (Reason, error) {
	var status *exec.ExitError
	switch {
	case c.fail != nil:
		return failedStep[c.fail.Step], errors.New(c.fail.Cause)
	case c.console.panic != "":
		return Panicked, errors.New(c.console.panic)
	case errors.Is(c.control, errPanicked):
		return Panicked, c.control
	case c.garbled != nil:
		return BadStream, c.garbled
	case ctx.Err() != nil:
		return Stopped, context.Cause(ctx)
	case c.expired && c.ready == nil:
		return NeverBooted, fmt.Errorf("not after %v", deadline)
	case c.expired:
		return Hung, fmt.Errorf("it has neither printed nor reported anything for %v", m.patience())
	case c.control != nil:
		return Refused, c.control
	case c.ready == nil && errors.As(ended, &status) && status.Exited():
		return Refused, ended
	case ended != nil:
		return Ended, fmt.Errorf("QEMU: %w", ended)
	case c.ready == nil:
		return NeverBooted, errors.New("the guest powered off or rebooted")
	default:
		return Ended, errors.New("it powered off or rebooted")
	}
}

var failedStep = map[guest.Step]Reason{
	guest.Setup:   SetupFailed,
	guest.Load:    ModuleFailed,
	guest.Stop:    SetupFailed,
	guest.Fetch:   SetupFailed,
	guest.Unpack:  NotUnpacked,
	guest.Execute: NotExecuted,
}
