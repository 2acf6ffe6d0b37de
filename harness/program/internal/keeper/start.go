package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user and the group of that name: 65534 is also what an ID without a
// mapping is shown as (Documentation/admin-guide/sysctl/fs.rst, overflowuid).
const nobody = 65534

// beyond are the capabilities with which root reaches past its namespaces: other
// mounts, the machine's clock, its devices, its kernel, files by their handles
// (capabilities(7)).
var beyond = []uintptr{
	unix.CAP_AUDIT_CONTROL, unix.CAP_DAC_READ_SEARCH, unix.CAP_MKNOD, unix.CAP_SYSLOG, unix.CAP_SYS_ADMIN,
	unix.CAP_SYS_BOOT, unix.CAP_SYS_MODULE, unix.CAP_SYS_PTRACE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_TIME,
}

// start starts the command, in a session of its own, because some programs signal
// their whole process group.
func start(task Task, users users) (pid int, err error) {
	path, err := find(task.Args[0])
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if task.Nobody {
		// Some programs open what they write to anew, as /dev/stdout.
		if err := os.Stdout.Chown(users.nobody(), users.nobody()); err != nil {
			return 0, fmt.Errorf("give nobody the output: %w", err)
		}
		if err := users.become(attr.Sys); err != nil {
			return 0, err
		}
	}
	if !task.Disposable {
		for _, c := range beyond {
			// A kernel that lacks one has nothing to drop.
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
				return 0, fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	if pid, err = syscall.ForkExec(path, task.Args, attr); err != nil {
		return 0, explain(path, err)
	}
	return pid, nil
}

// find looks the program up in PATH, as a shell does, in the command's file system.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	var lookup *exec.Error
	var stat *fs.PathError
	switch {
	case err == nil || errors.Is(err, exec.ErrDot):
		return filepath.Abs(path)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no such program in PATH (%s)", os.Getenv("PATH"))
	case errors.Is(err, fs.ErrPermission):
		return "", errors.New("it is not a program that may be executed (chmod +x)")
	case errors.As(err, &stat):
		return "", stat.Err // which the caller has the path to
	case errors.As(err, &lookup):
		return "", lookup.Err
	}
	return "", err
}

// explain says what refusals of execve(2) mean.
func explain(path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.ENOENT):
		hint = ": the program is there, but not the interpreter that it names (a script's first line, or the dynamic loader)"
	case errors.Is(err, unix.ENOEXEC):
		hint = ": it is a program for another architecture, or a script whose first line does not begin with #!"
	case errors.Is(err, unix.EACCES):
		hint = ": the user that it is to run as may not execute it, or not enter a folder on the way"
	}
	return fmt.Errorf("execute %s: %w%s", path, err, hint)
}

// users tells which user IDs there are in this user namespace (user_namespaces(7)).
type users struct {
	all    bool // as on the machine itself
	mapped bool // nobody is one of them
}

func readUsers() (users, error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if errors.Is(err, fs.ErrNotExist) {
		return users{all: true, mapped: true}, nil // without CONFIG_USER_NS
	}
	if err != nil {
		return users{}, err
	}
	return parseUsers(string(text))
}

// parseUsers reads lines of the first ID inside, the first outside, and their number.
func parseUsers(text string) (u users, err error) {
	for line := range strings.Lines(text) {
		var n [3]uint64
		fields := strings.Fields(line)
		if len(fields) != len(n) {
			return users{}, fmt.Errorf("uid_map: want three numbers in %q", line)
		}
		for i, field := range fields {
			if n[i], err = strconv.ParseUint(field, 10, 32); err != nil {
				return users{}, fmt.Errorf("uid_map: %w", err)
			}
		}
		u.all = u.all || n == [3]uint64{0, 0, 1<<32 - 1}
		u.mapped = u.mapped || n[0] <= nobody && nobody < n[0]+n[2]
	}
	return u, nil
}

// nobody is who the command is in this namespace if it is to run as nobody.
func (u users) nobody() int {
	if u.mapped {
		return nobody
	}
	return 0
}

// become makes the command nobody. Where there is no such user it is the only one
// there is, but called so, in a user namespace of its own. That is set up by files in
// /proc.
func (u users) become(attr *syscall.SysProcAttr) error {
	if u.mapped {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return nil
	}
	if !procIsOwn() {
		return errors.New("an ordinary user cannot have it run as nobody in a container that hides parts of its /proc: run it as root, or outside")
	}
	attr.Cloneflags = unix.CLONE_NEWUSER
	only := []syscall.SysProcIDMap{{ContainerID: nobody, HostID: 0, Size: 1}}
	attr.UidMappings, attr.GidMappings = only, only
	return nil
}
