package rootless

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Forbidden says that the system does not let this program make namespaces.
type Forbidden struct {
	// Reasons are the settings, or what else there is of the system, that forbid
	// it, each with what to do about it. More than one may have to be changed.
	// None is known if it is empty.
	Reasons []string
	// Err is the kernel's answer.
	Err error
}

// Error gives the kernel's answer, the reasons, and what to do.
func (f *Forbidden) Error() string {
	reasons := "none of the settings that are known to forbid it does; a security module may, or whatever confines this process"
	if len(f.Reasons) > 0 {
		reasons = strings.Join(f.Reasons, "; ")
	}
	return fmt.Sprintf("%v: %s", f.Err, reasons)
}

// Unwrap returns the kernel's answer.
func (f *Forbidden) Unwrap() error { return f.Err }

// A step is what was refused.
type step int

const (
	userNamespace    step = iota // to run the program in a user namespace
	networkNamespace             // to make a network namespace, or to do something in it
)

// forbidden finds out, after a step was refused, what of the system refuses it.
// Any other failure is returned as it is.
func forbidden(at step, err error) error {
	if err != nil && at == userNamespace {
		err = fmt.Errorf("run the program again in a user namespace: %w", err)
	}
	var errno unix.Errno
	if !errors.As(err, &errno) || !refusal(errno) {
		return err
	}
	return &Forbidden{Reasons: readSystem().reasons(at, errno), Err: err}
}

// refusal reports whether errno is how a kernel refuses a namespace.
func refusal(errno unix.Errno) bool {
	return errno == unix.ENOSPC || errno == unix.EINVAL || errors.Is(errno, fs.ErrPermission)
}

// A system is what can explain a failure. A setting that the kernel does not
// have is empty.
type system struct {
	maxUser      string // user.max_user_namespaces
	maxNet       string // user.max_net_namespaces
	unprivileged string // kernel.unprivileged_userns_clone
	appArmor     string // kernel.apparmor_restrict_unprivileged_userns
	changedRoot  bool   // chroot(2) was called
	seccomp      bool   // a filter looks at system calls
	root         bool   // the caller is root, but without root's capabilities
}

func readSystem() system {
	setting := func(name string) string {
		text, _ := os.ReadFile("/proc/sys/" + name)
		return strings.TrimSpace(string(text))
	}
	return system{
		maxUser:      setting("user/max_user_namespaces"),
		maxNet:       setting("user/max_net_namespaces"),
		unprivileged: setting("kernel/unprivileged_userns_clone"),
		appArmor:     setting("kernel/apparmor_restrict_unprivileged_userns"),
		changedRoot:  changedRoot(),
		seccomp:      filtered(),
		root:         os.Geteuid() == 0,
	}
}

// changedRoot reports whether chroot(2) has left this process without a mount
// for its root (proc_pid_mountinfo(5)). A root that is some mount's is not told
// from any other.
func changedRoot() bool {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/" {
			return false
		}
	}
	return true
}

// filtered reports whether system calls of this process pass a seccomp filter
// (proc_pid_status(5)).
func filtered() bool {
	status, _ := os.ReadFile("/proc/self/status")
	return strings.Contains(string(status), "\nSeccomp:\t2\n")
}

// reasons names what of the system explains that a step was refused with errno.
func (s system) reasons(at step, errno unix.Errno) []string {
	switch {
	case errno == unix.ENOSPC && at == userNamespace:
		return []string{limit("user.max_user_namespaces", s.maxUser)}
	case errno == unix.ENOSPC:
		return []string{limit("user.max_net_namespaces", s.maxNet)}
	case errno == unix.EINVAL && at == userNamespace:
		return []string{"the kernel has no user namespaces (CONFIG_USER_NS)"}
	case errno == unix.EINVAL:
		return []string{"the kernel has no network namespaces (CONFIG_NET_NS)"}
	}
	return s.denials(at)
}

// limit explains a limit that is reached: it counts what a user has, here and in
// each user namespace around this one (kernel/ucount.c, inc_ucount).
func limit(name, value string) string {
	if value == "0" {
		return fmt.Sprintf("%s is 0, which allows none: `sudo sysctl %s=10000`", name, name)
	}
	return fmt.Sprintf("as many are in use as %s allows, here or around a container: raise it, or end what uses them", name)
}

// denials names what may have denied a step. Debian's setting is in its
// kernel/fork.c; kernel/user_namespace.c denies a chroot in create_user_ns, and a
// root without CAP_SETFCAP a namespace with root in it in verify_root_map.
// Ubuntu's setting may also deny what is done inside.
func (s system) denials(at step) (all []string) {
	if at == userNamespace && s.unprivileged == "0" {
		all = append(all, "kernel.unprivileged_userns_clone is 0: `sudo sysctl kernel.unprivileged_userns_clone=1`")
	}
	if at == userNamespace && s.changedRoot {
		all = append(all, "this process is in a chroot, where nobody may make a user namespace: leave it")
	}
	if at == userNamespace && s.root {
		all = append(all, "this is a root without capabilities, as a container's is: give it CAP_SYS_ADMIN and CAP_NET_ADMIN, or be another user")
	}
	if s.appArmor != "" && s.appArmor != "0" {
		all = append(all, fmt.Sprintf("kernel.apparmor_restrict_unprivileged_userns is %s: "+
			"`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile for this program that has `userns,`", s.appArmor))
	}
	if s.seccomp {
		all = append(all, "a seccomp filter looks at the system calls of this process, as a container's does: "+
			"start it with one that lets unshare(2) and clone(2) make namespaces (`--security-opt seccomp=unconfined`)")
	}
	return all
}
