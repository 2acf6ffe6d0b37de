package rootless

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// probing is set in the environment of a process that only finds out whether it
// may make network namespaces, and tells.
const probing = "FINWAIT_ROOTLESS_PROBE"

// tell answers for a probing process, and returns its exit status. The answer is
// the error's number and text, or nothing.
func tell(err error) int {
	var errno unix.Errno
	if errors.As(err, &errno) {
		fmt.Println(int(errno), err)
	}
	return 0
}

// probe finds out what this program may do in a user namespace: a security
// module may grant the namespace and deny everything in it.
func probe() error {
	cmd := inUserNamespace()
	cmd.Env = append(os.Environ(), probing+"=1")
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return forbidden(userNamespace, err)
	}
	return forbidden(networkNamespace, parse(string(answer)))
}

// An answered error is one that a probing process told of.
type answered struct {
	errno unix.Errno
	text  string
}

func (a answered) Error() string { return a.text }

func (a answered) Unwrap() error { return a.errno }

// parse is the reverse of tell.
func parse(answer string) error {
	if answer == "" {
		return nil
	}
	number, text, _ := strings.Cut(strings.TrimSpace(answer), " ")
	errno, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("the program, run again in a user namespace, answered %q", answer)
	}
	return answered{unix.Errno(errno), text}
}

// inUserNamespace is this program with its arguments, as root of a user
// namespace in which the caller is the only user and group there is. It is
// killed when this process ends. Its process group is one of its own, so that
// what a terminal sends, such as SIGINT, reaches it once: passed on.
func inUserNamespace() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Setpgid:     true,
		Pdeathsig:   unix.SIGKILL,
	}
	return cmd
}

// again runs the program again and returns its exit status.
func again() (int, error) {
	cmd := inUserNamespace()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP, unix.SIGCONT)
	if err := cmd.Start(); err != nil {
		signal.Stop(signals)
		return 0, err
	}
	go passOn(signals, cmd.Process)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// passOn passes signals on to the program, and stops with it when the terminal
// says so.
func passOn(signals <-chan os.Signal, program *os.Process) {
	for s := range signals {
		_ = program.Signal(s) // it may have ended, which is what its parent waits for
		if s == unix.SIGTSTP {
			_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
		}
	}
}
