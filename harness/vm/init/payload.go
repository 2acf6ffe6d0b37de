package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/held"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A program is what the guest is for.
type program struct {
	guest.Program
	pid       int
	arguments *os.File // which a held one waits for
}

// hold starts a program that is to be held, and returns when it is ready to wait.
func (p *program) hold() error {
	if !p.Held {
		return nil
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	p.arguments = ours
	ready, theirReady, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	err = p.start(nil, []string{held.Variable + "=yes"}, theirs, theirReady)
	theirReady.Close()
	if err != nil {
		return err
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("%s ended before it was ready, with status %d", p.Path, p.wait())
	}
	return nil
}

// run has the program do its errand, and returns its exit status. Where there is no
// program, all is done.
func (p *program) run(args []string) (status int, err error) {
	switch {
	case p.Path == "":
		return 0, nil
	case p.Held:
		err = p.tell(args)
	default:
		err = p.start(args, nil)
	}
	if err != nil {
		return 0, err
	}
	return p.wait(), nil
}

// tell gives a held program its arguments. One that died while it waited tells by its
// exit status.
func (p *program) tell(args []string) error {
	if args == nil {
		args = []string{}
	}
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	_, err = p.arguments.Write(text)
	if errors.Is(err, unix.EPIPE) {
		err = nil
	}
	return errors.Join(err, p.arguments.Close())
}

// start starts the program with more descriptors than the usual ones. What it prints
// goes to the console.
func (p *program) start(args, env []string, more ...*os.File) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	files := []uintptr{null.Fd(), os.Stdout.Fd(), os.Stderr.Fd()}
	for _, file := range more {
		files = append(files, file.Fd())
	}
	env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"TMPDIR=/tmp",
	}, env...)
	p.pid, err = syscall.ForkExec(p.Path, append([]string{p.Path}, args...), &syscall.ProcAttr{
		Dir: "/root", Env: append(env, p.Env...), Files: files,
	})
	if err != nil {
		return fmt.Errorf("execve %s: %w", p.Path, err)
	}
	return nil
}

// wait waits until the program has ended, and buries the orphans that the kernel
// gives to init in the meantime.
func (p *program) wait() (status int) {
	for {
		var ended unix.WaitStatus
		if pid, _ := unix.Wait4(-1, &ended, 0, nil); pid == p.pid {
			return exitStatus(ended)
		}
	}
}

// exitStatus is as guest.Exit has it.
func exitStatus(ended unix.WaitStatus) int {
	if ended.Signaled() {
		return 128 + int(ended.Signal())
	}
	return ended.ExitStatus()
}

// killOrphans ends what the program left running, so that nobody else writes to the
// stream any more.
func killOrphans() {
	_ = unix.Kill(-1, unix.SIGKILL) // there may be none
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			return
		}
	}
}
