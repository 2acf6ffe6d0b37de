package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// powerOffTime is how much of the host's time a guest that has told its end
// gets to power itself off.
const powerOffTime = 2 * time.Second

// A course is what has been seen of a guest.
type course struct {
	ready   *guest.Ready
	exit    *guest.Exit
	fail    *guest.Fail
	console console
	garbled error // why the stream made no sense
	expired bool  // QEMU was killed for its silence
}

// follow watches the guest until QEMU has ended and all that it wrote is read.
func (m Machine) follow(ctx context.Context, q *qemu, line func([]byte)) (Result, error) {
	defer context.AfterFunc(ctx, q.kill)()
	c := &course{console: console{out: m.Console}}
	messages := make(chan guest.Message)
	read := c.read(q, line, func(said guest.Message) { messages <- said })

	limit := time.NewTimer(m.bootDeadline())
	defer limit.Stop()
	expired, exited := limit.C, q.exited
	for {
		select {
		case said := <-messages:
			c.note(said)
			limit.Reset(m.limit(c))
		case <-q.alive:
			if c.ready != nil && !c.over() {
				limit.Reset(m.patience())
			}
		case <-expired:
			c.expired = true
			q.kill()
		case <-exited:
			// What is left to read takes as long as line and Console take.
			exited, expired = nil, nil
		case <-read:
			<-q.exited
			return m.judge(ctx, c, q.err)
		}
	}
}

// limit is how long the guest may be silent from now on.
func (m Machine) limit(c *course) time.Duration {
	if c.over() {
		return powerOffTime
	}
	return m.patience()
}

// read reads the console and the stream; the channel is closed when both have
// ended, as they do with QEMU.
func (c *course) read(q *qemu, line func([]byte), message func(guest.Message)) <-chan struct{} {
	var readers sync.WaitGroup
	readers.Go(func() {
		_, _ = io.Copy(&c.console, q.console) // how QEMU ended says more than how its output did
		c.console.close()
	})
	readers.Go(func() {
		if c.garbled = guest.Scan(q.stream, line, message); c.garbled != nil {
			q.kill()
		}
	})
	read := make(chan struct{})
	go func() {
		readers.Wait()
		close(read)
	}()
	return read
}

func (c *course) note(said guest.Message) {
	switch {
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
func (m Machine) judge(ctx context.Context, c *course, ended error) (Result, error) {
	var result Result
	if c.ready != nil {
		result.Release, result.Uptime = c.ready.Release, c.ready.Uptime
	}
	if c.exit != nil {
		result.Status = c.exit.Status
		return result, nil
	}
	reason, err := m.explain(ctx, c, ended)
	failure := m.failure(reason, err)
	failure.Console = c.console.last
	return result, failure
}

// explain finds the reason for which there was no exit status.
func (m Machine) explain(ctx context.Context, c *course, ended error) (Reason, error) {
	var status *exec.ExitError
	switch {
	case c.fail != nil:
		return failedStep[c.fail.Step], errors.New(c.fail.Cause)
	case c.console.panic != "":
		return Panicked, errors.New(c.console.panic)
	case c.garbled != nil:
		return BadStream, c.garbled
	case ctx.Err() != nil:
		return Stopped, context.Cause(ctx)
	case c.expired && c.ready == nil:
		return NeverBooted, fmt.Errorf("not after %v", m.bootDeadline())
	case c.expired:
		return Hung, fmt.Errorf("it has neither printed nor reported anything for %v", m.patience())
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
	guest.Execute: NotExecuted,
}
