package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A process is the payload, running.
type process struct{ pid int }

// start runs the payload. What it prints goes to the console.
func start(p guest.Payload) (process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return process{}, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(p.Path, append([]string{p.Path}, p.Args...), &syscall.ProcAttr{
		Dir: "/root",
		Env: append([]string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"HOME=/root",
			"TMPDIR=/tmp",
		}, p.Env...),
		Files: []uintptr{null.Fd(), os.Stdout.Fd(), os.Stderr.Fd()},
	})
	if err != nil {
		return process{}, fmt.Errorf("execve %s: %w", p.Path, err)
	}
	return process{pid}, nil
}

// wait waits until the process has ended, and buries the orphans that the
// kernel gives to init in the meantime. The status is that of guest.Exit.
func (p process) wait() (status int) {
	for {
		var ended unix.WaitStatus
		pid, _ := unix.Wait4(-1, &ended, 0, nil)
		switch {
		case pid != p.pid:
			continue
		case ended.Signaled():
			return 128 + int(ended.Signal())
		default:
			return ended.ExitStatus()
		}
	}
}

// killOrphans ends what the payload left running, so that nobody else writes
// to the stream any more.
func killOrphans() {
	_ = unix.Kill(-1, unix.SIGKILL) // there may be none
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			return
		}
	}
}
