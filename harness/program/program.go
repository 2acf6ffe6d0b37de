// Package program runs a program of somebody else's in the network namespace of a
// lab's host, where it can change nothing of the machine and leaves nothing behind.
//
// It has PID, mount, IPC and UTS namespaces of its own. It sees the machine's files,
// but what it writes is written to memory and goes with it; so does whatever it has
// started, also where this process is killed.
package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/program/internal/keeper"
)

// A Command is a program as its user would start it. Its standard input is empty.
type Command struct {
	// Args are the program, looked up in PATH where it has no slash, and its arguments.
	Args []string
	// Env is added to this process's environment, each KEY=VALUE.
	Env []string
	// Dir is the working folder; empty for this process's.
	Dir string
	// Trees are folders of files laid over the machine's own, the first on top, such as
	// unpacked packages.
	Trees []string
	// Folder is the absolute path of a folder of its own, in memory, with Files in it when
	// it starts: their content by their names. It goes with the command. Empty for none.
	Folder string
	Files  map[string]string
	// Nobody has it run as nobody:nogroup instead of root. In a user namespace that has
	// no such user it is root's only other name. The Folder is then nobody's.
	Nobody bool
	// Disposable says that the machine is a guest that goes with what is written to it:
	// no file system of its own is made. There are no Trees then.
	Disposable bool
}

// A Program is a running command. Its methods may be called by several goroutines.
type Program struct {
	command Command
	host    *lab.Host
	keeper  *exec.Cmd
	orders  *json.Encoder
	output  tail
	// killed is how many processes the kernel had killed for want of memory before.
	killed int

	done  chan struct{} // closed when the command's process has ended
	ended keeper.Ended  // then
	lost  bool          // then: nobody knows how it ended, because its keeper is gone
	gone  chan struct{} // closed when nothing is left
	left  int           // then

	stopping sync.Once
	ending   Ending
}

// An Ending tells how a program was stopped.
type Ending struct {
	// Killed tells that it did not end on SIGTERM in time.
	Killed bool
	// Left is how many other processes, which it had started, had to be killed. It may
	// be too few where one ignored SIGCHLD, whose children vanish by themselves.
	Left int
}

// grace is how long a program may take to end on SIGTERM.
const grace = 5 * time.Second

// Start starts a command in a host, whose loopback is set up for it. It returns when
// the program has been executed, and has to be followed by Stop. Where the kernel has
// no overlayfs, which an ordinary user may use from Linux 5.11 on, the error is a
// *kernel.MissingCapability.
func Start(host *lab.Host, c Command) (*Program, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return nil, errors.New("start a program: no program is named")
	}
	p, err := start(host, c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	return p, nil
}

func start(host *lab.Host, c Command) (*Program, error) {
	task, err := c.task()
	if err != nil {
		return nil, err
	}
	const loopback = 1 // of every namespace (include/net/flow.h, LOOPBACK_IFINDEX)
	if err := host.Netlink.LinkSetUp(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: loopback}}); err != nil {
		return nil, fmt.Errorf("set up the loopback of %s: %w", host.Name, err)
	}
	p := &Program{command: c, host: host, killed: killsForMemory(), done: make(chan struct{}), gone: make(chan struct{})}
	pipes, err := p.startKeeper()
	if err != nil {
		return nil, err
	}
	first := make(chan keeper.Report, 1)
	go p.follow(pipes, first)
	_ = p.orders.Encode(task) // a keeper that has died reports nothing
	switch report, told := <-first; {
	case !told:
		<-p.gone
		return nil, fmt.Errorf("its keeper ended: %v%s", p.keeper.ProcessState, p.last())
	case report.Started:
		return p, nil
	case report.Missing != "":
		<-p.gone
		return nil, &kernel.MissingCapability{Name: report.Missing, Err: errors.New(report.Failed)}
	default:
		<-p.gone
		return nil, errors.New(report.Failed + p.hint(report.Failed))
	}
}

// task is what the keeper is told.
func (c Command) task() (keeper.Task, error) {
	if c.Disposable && len(c.Trees) > 0 {
		return keeper.Task{}, errors.New("there are trees to lay over the files of a machine that is to be used as it is")
	}
	if c.Folder != "" && !filepath.IsAbs(c.Folder) || c.Folder == "" && len(c.Files) > 0 {
		return keeper.Task{}, fmt.Errorf("the folder of its own, %q, has no absolute path", c.Folder)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return keeper.Task{}, fmt.Errorf("the working folder: %w", err)
	}
	t := keeper.Task{Args: c.Args, Dir: dir, Folder: c.Folder, Files: c.Files, Nobody: c.Nobody, Disposable: c.Disposable}
	for _, tree := range c.Trees {
		real, err := filepath.Abs(tree)
		if err == nil {
			real, err = filepath.EvalSymlinks(real)
		}
		var info fs.FileInfo
		if err == nil {
			info, err = os.Stat(real)
		}
		if err == nil && !info.IsDir() {
			err = errors.New("it is no folder")
		}
		if err != nil {
			return keeper.Task{}, fmt.Errorf("the tree %s: %w", tree, err)
		}
		t.Trees = append(t.Trees, real)
	}
	return t, nil
}

// startKeeper starts the keeper in the host's network namespace.
func (p *Program) startKeeper() (*pipes, error) {
	var ours [3]*os.File
	var theirs [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer func() { theirs[i].Close() }()
		if ours[i], theirs[i] = r, w; i == 0 {
			ours[i], theirs[i] = w, r // the orders go the other way
		}
	}
	p.keeper = exec.Command("/proc/self/exe")
	p.keeper.Args = []string{"keeper of " + p.command.Args[0]}
	p.keeper.Env = append(append(os.Environ(), p.command.Env...), keeper.Called+"=")
	p.keeper.Dir = "/"
	p.keeper.Stdout, p.keeper.Stderr = theirs[2], theirs[2]
	p.keeper.ExtraFiles = theirs[:2] // become keeper.OrdersFD and keeper.ReportsFD
	flags := uintptr(unix.CLONE_NEWPID | unix.CLONE_NEWNS)
	if !p.command.Disposable {
		flags |= unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	}
	p.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true}
	if err := p.host.Do(p.keeper.Start); err != nil {
		for _, file := range ours {
			file.Close()
		}
		return nil, fmt.Errorf("start this program again as its keeper, in namespaces of its own: %w%s", err, refusal(err))
	}
	p.orders = json.NewEncoder(ours[0])
	return &pipes{orders: ours[0], reports: ours[1], output: ours[2]}, nil
}

// refusal says what it means that namespaces are refused (clone(2)).
func refusal(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (that needs CAP_SYS_ADMIN: run it as root, or in a user namespace, as package rootless does)"
	case errors.Is(err, unix.EINVAL):
		return " (the kernel lacks one of CONFIG_PID_NS, CONFIG_IPC_NS and CONFIG_UTS_NS)"
	case errors.Is(err, unix.ENOSPC):
		return " (a limit such as user.max_pid_namespaces or user.max_mnt_namespaces is reached)"
	}
	return ""
}

// Done is closed when the command's own process has ended. Others that it started may
// live on until Stop.
func (p *Program) Done() <-chan struct{} { return p.done }

// Err says how the command's own process ended, with its last lines: nil for exit
// status 0, and as long as it runs.
func (p *Program) Err() error {
	if !p.hasEnded() || !p.lost && p.ended.Status.Exited() && p.ended.Status.ExitStatus() == 0 {
		return nil
	}
	return p.errorf("it ended: %s", p.how())
}

// how tells how the command ended.
func (p *Program) how() string {
	switch status := p.ended.Status; {
	case p.lost:
		return "it was killed together with the process that kept it"
	case status.Signaled():
		text := fmt.Sprintf("signal %d (%v)", int(status.Signal()), status.Signal())
		if status.Signal() == unix.SIGKILL && killsForMemory() > p.killed {
			text += "; memory had run out, and the kernel killed for it"
		}
		return text
	default:
		return fmt.Sprintf("exit status %d", status.ExitStatus())
	}
}

// errorf makes an error of the program's, with its last lines.
func (p *Program) errorf(format string, values ...any) error {
	return fmt.Errorf("%s: "+format+"%s", append(append([]any{p.command.Args[0]}, values...), p.hint(p.Output())+p.last())...)
}

// hint is what to do about a file that a guest has not got, if a text speaks of one.
func (p *Program) hint(text string) string {
	if strings.Contains(strings.ToLower(text), unix.ENOENT.Error()) {
		return p.guestHas()
	}
	return ""
}

// guestHas tells what there is in a guest. A program that lacks something else there does
// not always say so in the kernel's words.
func (p *Program) guestHas() string {
	if !p.command.Disposable {
		return ""
	}
	return "; a guest has only the program, its shared libraries and what --bring names: bring whatever else it needs"
}

// last tells the last lines.
func (p *Program) last() string {
	text := strings.TrimSpace(p.Output())
	if text == "" {
		return "; it printed nothing"
	}
	return "\nits last lines:\n\t" + strings.ReplaceAll(text, "\n", "\n\t")
}

// Output returns the last of what was printed, some 4 KiB: standard output and standard
// error of the command and of all that it started.
func (p *Program) Output() string { return p.output.String() }

// Stop sends the command's process SIGTERM, gives it 5 seconds to end, and then kills
// all that it started. When it returns, nothing is left. It may be called again.
func (p *Program) Stop() Ending {
	p.stopping.Do(func() {
		select {
		case <-p.done:
		default:
			_ = p.orders.Encode(keeper.Terminate) // without a keeper there is nothing to stop
			select {
			case <-p.done:
			case <-time.After(grace):
				p.ending.Killed = true
			}
		}
		_ = p.orders.Encode(keeper.Kill)
		<-p.gone
		p.ending.Left = p.left
	})
	return p.ending
}
