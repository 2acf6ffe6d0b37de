package sock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/finwait/finwait/harness/sock/internal/owner"
)

// A process owns a socket.
type process struct {
	ctx    context.Context
	cmd    *exec.Cmd
	orders io.Writer
	ended  chan struct{} // closed when the process has been reaped
}

var (
	errNoOwner = errors.New("it is this process's own: Entrust it to another before")
	errEnded   = errors.New("the process had ended before")
)

// startOwner starts a process that holds the socket too, and is killed when ctx
// ends. It returns when the process waits for orders.
func startOwner(ctx context.Context, socket *os.File) (*process, error) {
	p := &process{ctx: ctx, ended: make(chan struct{})}
	// That link also leads to a program that was deleted since it started.
	p.cmd = exec.CommandContext(ctx, "/proc/self/exe")
	p.cmd.Args = []string{"owner of a socket"}
	// Told how many processors to use, the runtime does not open cgroup's files.
	p.cmd.Env = []string{owner.Called + "=", "GOMAXPROCS=1"}
	p.cmd.Dir = "/"
	p.cmd.ExtraFiles = []*os.File{socket} // becomes owner.Socket
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	report, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	said, n := make([]byte, 1), 0
	starting.Lock()
	if err = p.cmd.Start(); err == nil {
		n, _ = report.Read(said)
	}
	starting.Unlock()
	if err != nil {
		return nil, err
	}
	if n == 0 || said[0] != owner.Ready {
		_ = p.cmd.Process.Kill()
		rest, _ := io.ReadAll(report)
		_ = p.cmd.Wait()
		return nil, p.check(fmt.Errorf("it did not come to wait for orders but said %q", append(said[:n], rest...)), false)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // what it says, ProcessState says too
	}()
	return p, nil
}

// exit orders the process to exit and waits until it has been reaped: its files
// have been closed by then (kernel/exit.c, do_exit: exit_files and
// exit_task_work come before exit_notify).
func (p *process) exit() error {
	_, err := p.orders.Write([]byte{0})
	<-p.ended
	if err != nil {
		err = errEnded
	}
	return p.check(err, p.cmd.ProcessState.Success())
}

// kill sends SIGKILL and waits until the process has been reaped.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		err = errEnded
	}
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return p.check(err, status.Signal() == syscall.SIGKILL)
}

// check returns nil if the process was given its order and ended by it.
func (p *process) check(err error, asOrdered bool) error {
	switch {
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case err != nil:
		return fmt.Errorf("%w: %v", err, p.cmd.ProcessState)
	case !asOrdered:
		return fmt.Errorf("the process ended in another way: %v", p.cmd.ProcessState)
	}
	return nil
}

// dismiss sees to it that the process is gone.
func (p *process) dismiss() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
