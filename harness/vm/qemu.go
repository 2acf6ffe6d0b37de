package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A qemu is a running QEMU.
type qemu struct {
	console, init, stream *spool
	monitor               *monitor
	alive                 chan struct{} // something was read
	exited                chan struct{} // closed when the process has ended
	err                   error         // how it ended; once exited
	process               *os.Process
}

// pipes are what the guest's output comes through.
type pipes struct{ console, init, stream *os.File }

// talking are the machine's outputs, and its monitor.
func (m Machine) talking() []string {
	args := []string{
		"-chardev", "file,id=console,path=" + pathOf(consoleFD), "-serial", "chardev:console",
		"-chardev", "file,id=init,path=" + pathOf(initFD),
	}
	args = append(args, m.architecture().initPort...)
	return append(args,
		"-chardev", "file,id=stream,path="+pathOf(streamFD),
		"-device", "virtio-serial-pci,ioeventfd=off", "-device", "virtserialport,nr=1,chardev=stream",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control",
	)
}

// startQEMU starts QEMU such that it ends with this process, even one that is
// killed.
func startQEMU(path string, l *launch) (_ *qemu, err error) {
	var ours, theirs pipes
	defer func() {
		theirs.close()
		if err != nil {
			ours.close()
		}
	}()
	for _, p := range []struct{ r, w **os.File }{
		{&ours.console, &theirs.console}, {&ours.init, &theirs.init}, {&ours.stream, &theirs.stream},
	} {
		if *p.r, *p.w, err = newPipe(); err != nil {
			return nil, err
		}
	}
	control, theirEnd, err := newMonitor()
	if err != nil {
		return nil, err
	}
	defer theirEnd.Close()
	who := confined()
	if err := give(who, append([]*os.File{theirs.console, theirs.init, theirs.stream}, l.files...)...); err != nil {
		control.close()
		return nil, fmt.Errorf("have QEMU run as another user than root: %w", err)
	}

	var said bytes.Buffer
	cmd := exec.Command(path, l.args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.ExtraFiles = append([]*os.File{theirs.console, theirs.init, theirs.stream, theirEnd}, l.files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// Ctrl-C is for this process, which then ends QEMU.
		Setpgid:    true,
		Credential: who,
	}
	q := &qemu{monitor: control, alive: make(chan struct{}, 1), exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal comes when the thread that started QEMU ends (prctl(2),
		// PR_SET_PDEATHSIG), so that thread has to wait for QEMU.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		q.err = ending(cmd.Wait(), &said)
		close(q.exited)
	}()
	if err := <-started; err != nil {
		control.close()
		if who != nil && errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: it is not run as root but as user %d, who has to be allowed to", err, nobody)
		}
		return nil, err
	}
	q.process = cmd.Process
	q.console = newSpool(ours.console, q.signOfLife)
	q.init = newSpool(ours.init, q.signOfLife)
	q.stream = newSpool(ours.stream, q.signOfLife)
	return q, nil
}

func (p pipes) close() {
	for _, file := range []*os.File{p.console, p.init, p.stream} {
		if file != nil {
			file.Close()
		}
	}
}

// newPipe makes a pipe that holds as much as an unprivileged process may have:
// what QEMU cannot write, the guest has to wait for.
func newPipe() (r, w *os.File, err error) {
	r, w, err = os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	if conn, err := r.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
	return r, w, nil
}

func (q *qemu) signOfLife() {
	select {
	case q.alive <- struct{}{}:
	default:
	}
}

// kill ends QEMU at once; exited tells when it is gone.
func (q *qemu) kill() { _ = q.process.Kill() }

// ending adds to the error of a QEMU that failed what it said of it.
func ending(err error, said *bytes.Buffer) error {
	text := bytes.TrimSpace(said.Bytes())
	if err == nil || len(text) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, text)
}
