package vm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const qemuProgram = "qemu-system-x86_64"

// A qemu is a running QEMU.
type qemu struct {
	console, stream *spool
	alive           chan struct{} // something was read
	exited          chan struct{} // closed when the process has ended
	err             error         // how it ended; once exited
	process         *os.Process
}

// startQEMU starts QEMU such that it ends with this process, even one that is
// killed.
func startQEMU(path string, args []string, initramfs *os.File) (*qemu, error) {
	console, consoleEnd, err := newPipe()
	if err != nil {
		return nil, err
	}
	defer consoleEnd.Close()
	stream, streamEnd, err := newPipe()
	if err != nil {
		console.Close()
		return nil, err
	}
	defer streamEnd.Close()

	var said bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.ExtraFiles = []*os.File{consoleEnd, streamEnd, initramfs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// Ctrl-C is for this process, which then ends QEMU.
		Setpgid: true,
	}
	q := &qemu{alive: make(chan struct{}, 1), exited: make(chan struct{})}
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
		console.Close()
		stream.Close()
		return nil, err
	}
	q.process = cmd.Process
	q.console = newSpool(console, q.signOfLife)
	q.stream = newSpool(stream, q.signOfLife)
	return q, nil
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
