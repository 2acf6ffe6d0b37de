// Package keeper is the process 1 of the PID namespace in which a program of
// somebody else's runs: the same program as the one that wants it kept, started
// again, and caught before its main function. It makes the file system, starts the
// command, reaps what is orphaned, and tells by a pipe how it went. When it ends, and
// it does when its parent does, the kernel kills all that is in the namespace
// (pid_namespaces(7)).
package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

func init() {
	if _, called := os.LookupEnv(Called); called {
		os.Unsetenv(Called) //nolint:errcheck // it cannot fail for a name without "="
		keep()
	}
}

// A keeper looks after one command.
type keeper struct {
	reports *json.Encoder
	pid     int         // of the command
	killing atomic.Bool // the order to kill was given
	left    int         // how many were killed by it besides the command
	alone   chan struct{}
}

// keep does not return. That it stays on the process's first thread matters to the
// command's capabilities, which are that thread's.
func keep() {
	keepFilesBack()
	orders := json.NewDecoder(os.NewFile(OrdersFD, "orders"))
	k := &keeper{reports: json.NewEncoder(os.NewFile(ReportsFD, "reports")), alone: make(chan struct{})}
	var task Task
	if err := orders.Decode(&task); err != nil {
		os.Exit(1) // the parent is gone
	}
	var err error
	if k.pid, err = begin(task); err != nil {
		report := Report{Failed: err.Error()}
		var lacks *lacking
		if errors.As(err, &lacks) {
			report.Missing = lacks.name
		}
		k.report(report)
		os.Exit(1)
	}
	k.report(Report{Started: true})
	go k.reap()
	k.obey(orders)
	os.Exit(0)
}

// keepFilesBack has the command inherit the usual three files alone: not the pipes to
// the parent, nor what whoever started that may have left open.
func keepFilesBack() {
	files, _ := os.ReadDir("/proc/self/fd") // without it, nothing that follows works
	for _, file := range files {
		if fd, err := strconv.Atoi(file.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// begin prepares the surroundings of the command and starts it.
func begin(task Task) (pid int, err error) {
	users, err := readUsers()
	if err != nil {
		return 0, err
	}
	if task.Disposable {
		err = mountOwnProc()
	} else {
		err = changeRoot(task.Trees, users)
	}
	if err != nil {
		return 0, err
	}
	if task.Folder != "" {
		if err := makeOwn(task, users); err != nil {
			return 0, fmt.Errorf("the folder of its own: %w", err)
		}
	}
	if err := os.Chdir(task.Dir); err != nil {
		return 0, fmt.Errorf("the working folder: %w", err)
	}
	return start(task, users)
}

// report tells the parent, whose absence ends the process by its orders' end.
func (k *keeper) report(r Report) { _ = k.reports.Encode(r) }

// obey follows orders until there are no more.
func (k *keeper) obey(orders *json.Decoder) {
	for {
		var order Order
		if orders.Decode(&order) != nil {
			return
		}
		switch order {
		case Terminate:
			_ = unix.Kill(k.pid, unix.SIGTERM) // it may have ended
		case Kill:
			k.killing.Store(true)
			_ = unix.Kill(-1, unix.SIGKILL) // all but this process (kill(2)); there may be none
			go k.leave()
		}
	}
}

// leave exits when nothing else is left. Until then the parent's end is heeded.
func (k *keeper) leave() {
	<-k.alone
	k.report(Report{Left: &k.left})
	os.Exit(0)
}

// reap waits for whatever ends. All processes of the namespace are this one's
// children or become so when their parents end, and none comes from elsewhere: when
// there is no child left, there is nothing left.
func (k *keeper) reap() {
	defer close(k.alone)
	for {
		pid, status, err := wait(0)
		if err != nil {
			return
		}
		switch {
		case pid == k.pid:
			k.report(Report{Ended: &Ended{Status: status, Others: k.others()}})
		case k.killing.Load() && status.Signal() == unix.SIGKILL:
			k.left++
		}
	}
}

// others reports whether there are processes besides this one. Those that have
// ended are no more.
func (k *keeper) others() bool {
	if k.killing.Load() {
		return false
	}
	for {
		if pid, _, err := wait(unix.WNOHANG); pid <= 0 || err != nil {
			return unix.Kill(-1, 0) == nil
		}
	}
}

// wait waits for any child. With WNOHANG it returns 0 where none has ended.
func wait(options int) (pid int, status syscall.WaitStatus, err error) {
	for {
		pid, err = syscall.Wait4(-1, &status, options, nil)
		if !errors.Is(err, unix.EINTR) {
			return pid, status, err
		}
	}
}
