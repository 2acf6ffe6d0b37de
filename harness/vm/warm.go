package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// resumeDeadline is how much of the host's time a resumed machine gets to tell that
// it runs. It takes a fifth of a second.
const resumeDeadline = 10 * time.Second

// resume has the machine go on from what was kept of it. Where nothing was, or what
// was is of no use, nothing is done.
func (m Machine) resume(ctx context.Context, p *parts, line func([]byte)) (result Result, err error, done bool) {
	if !m.keeps() {
		return Result{}, nil, false
	}
	path := m.statePath(p)
	file, err := openState(path, p.shape)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{}, nil, false
	case err != nil:
		m.notice("%s boots cold: %s cannot be resumed: %v", m.name(), path, err)
		return Result{}, nil, false
	}
	defer file.Close()
	now := time.Now()
	_ = os.Chtimes(path, now, now) // see prune; a folder that is not ours to write to is read all the same

	l, err := p.launch(m)
	if err != nil {
		return Result{}, err, true
	}
	defer l.close()
	l.add("-incoming", "defer")
	q, err := startQEMU(p.qemu, l)
	if err != nil {
		return Result{}, m.failure(Refused, err), true
	}
	result, err = m.follow(ctx, q, line, resumeDeadline+p.luggage.patience(), func(q *monitor, _ <-chan struct{}) error { return q.load(file) })
	result.Resumed = true
	if err == nil || ctx.Err() != nil {
		return result, err, true
	}
	// Whatever it came of, the next run is not to go on from there.
	if isFile(path, file) {
		os.Remove(path)
	}
	if result.Release != "" {
		return result, err, true
	}
	var failed *Error
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w", failed.Reason, failed.Err)
	}
	m.notice("%s boots cold: resumed from %s, %s", m.name(), path, oneLine(err))
	return Result{}, nil, false
}

// boot boots the machine, and keeps it if it is to.
func (m Machine) boot(ctx context.Context, p *parts, line func([]byte)) (Result, error) {
	l, err := p.launch(m)
	if err != nil {
		return Result{}, err
	}
	defer l.close()
	kernel, err := m.openKernel()
	if err != nil {
		return Result{}, m.failure(NotAKernel, err)
	}
	defer kernel.Close()
	l.add("-kernel", l.inherit(kernel), "-initrd", l.inherit(p.initramfs), "-append", m.kernelArguments())
	q, err := startQEMU(p.qemu, l)
	if err != nil {
		return Result{}, m.failure(Refused, err)
	}
	return m.follow(ctx, q, line, m.bootDeadline()+p.luggage.patience(), func(q *monitor, booted <-chan struct{}) error {
		if err := awaitStop(q, booted); err != nil || !m.keeps() {
			return err
		}
		if err := m.keep(q, p); gone(err) {
			return err
		} else if err != nil {
			m.notice("%s cannot be kept in %s, and will boot again the next time: %s", m.name(), m.Cache, oneLine(err))
		}
		return nil
	})
}

// keep keeps the machine that has booted, unless another process is doing so.
func (m Machine) keep(q *monitor, p *parts) error {
	state, err := createState(m.statePath(p))
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer state.discard()
	if err := q.save(state.file); err != nil {
		return err
	}
	if err := state.complete(p.shape); err != nil {
		return err
	}
	prune(m.Cache)
	return nil
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
