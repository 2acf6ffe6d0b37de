package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace held by a file descriptor alone: it has
// no name and no mount, so the kernel removes it when the process ends,
// however that comes about. See network_namespaces(7).
type Namespace struct {
	handle netns.NsHandle
	// Netlink speaks to the namespace from any goroutine: a netlink socket
	// belongs to the namespace it was made in. It has the families
	// NETLINK_ROUTE and NETLINK_INET_DIAG only, because opening a family that
	// the kernel lacks fails.
	Netlink *netlink.Handle
}

// quiet makes a namespace whose links have IPv6, and no link-local address:
// only for that one does the kernel solicit routers (net/ipv6/addrconf.c,
// addrconf_dad_completed). What else IPv6 would send by itself, End.up prevents.
// Each of these takes as long as setting up an address: there is none to spare.
var quiet = map[string]string{
	"net.ipv6.conf.default.disable_ipv6":  "0",
	"net.ipv6.conf.default.addr_gen_mode": "1",
}

// newNamespace makes a namespace whose links will be quiet. It needs
// CAP_SYS_ADMIN.
func newNamespace() (*Namespace, error) {
	ns := &Namespace{handle: netns.None()}
	err := onForeignThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: unshare(CLONE_NEWNET): %w%s", err, hint(err))
		}
		var err error
		if ns.handle, err = netns.GetFromPath(ownNamespace()); err != nil {
			return fmt.Errorf("open the new network namespace: %w", err)
		}
		if ns.Netlink, err = netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_INET_DIAG); err != nil {
			return fmt.Errorf("open netlink in the new network namespace: %w", err)
		}
		for name, value := range quiet {
			if err := writeSysctl(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // a kernel without IPv6 has none of these, and needs none
			}
		}
		return nil
	})
	if err != nil {
		ns.Close()
		return nil, err
	}
	return ns, nil
}

// FD returns the descriptor that holds the namespace; it stays the
// namespace's own.
func (ns *Namespace) FD() int { return int(ns.handle) }

// Do runs f on a thread inside the namespace and returns f's error. Sockets
// that f makes belong to the namespace for good; files below
// /proc/thread-self/net are the namespace's; goroutines that f starts are not
// inside, and f itself must not change the thread's namespaces.
func (ns *Namespace) Do(f func() error) error {
	return onForeignThread(func() error {
		if err := netns.Set(ns.handle); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// SetSysctl sets a per-namespace kernel parameter by its dotted name, such as
// "net.ipv4.tcp_fin_timeout". A parameter that the kernel lacks, or that is
// not per namespace there, is an error that wraps fs.ErrNotExist.
func (ns *Namespace) SetSysctl(name, value string) error {
	return ns.Do(func() error { return writeSysctl(name, value) })
}

// Close lets go of the namespace. The kernel removes it and what is in it once
// the last of its sockets is gone. That may be a while after the program has
// closed it: a TCP socket with a FIN still to be acknowledged, or in FIN_WAIT2
// for longer than a minute, holds its namespace until the kernel gives the
// connection up (tcp(7): tcp_orphan_retries, tcp_fin_timeout).
func (ns *Namespace) Close() {
	if ns.Netlink != nil {
		ns.Netlink.Close()
	}
	if ns.handle.IsOpen() {
		ns.handle.Close()
	}
}

// onForeignThread runs f on a thread that may change its network namespace
// and brings the thread home afterwards, also where f ends its goroutine, as
// testing.T.FailNow does. A thread that cannot be brought home is never reused:
// its goroutine ends while still locked to it, and the runtime then ends the
// thread.
func onForeignThread(f func() error) error {
	done := make(chan error)
	go func() {
		err := errors.New("the function run in the network namespace ended its goroutine")
		defer func() { done <- err }()
		runtime.LockOSThread()
		home, openErr := netns.GetFromPath(ownNamespace())
		if openErr != nil {
			runtime.UnlockOSThread()
			err = fmt.Errorf("open the thread's own network namespace: %w", openErr)
			return
		}
		defer home.Close()
		defer func() {
			// From a user namespace nobody comes back to the machine's own
			// network (net/core/net_namespace.c, netns_install).
			switch back := netns.Set(home); {
			case back == nil:
				runtime.UnlockOSThread()
			case !errors.Is(back, unix.EPERM):
				err = errors.Join(err, fmt.Errorf("leave the network namespace: %w", back))
			}
		}()
		err = f()
	}()
	return <-done
}

// ownNamespace is the network namespace of the calling thread;
// /proc/self/ns/net would be that of the process's first thread.
func ownNamespace() string { return "/proc/thread-self/ns/net" }

func writeSysctl(name, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(value)
		file.Close()
	}
	if err != nil {
		return fmt.Errorf("set sysctl %s to %q: %w", name, value, err)
	}
	return nil
}

func hint(err error) string {
	if errors.Is(err, unix.EPERM) {
		return " (network namespaces need CAP_SYS_ADMIN: run it as root, or in a user namespace, as package rootless does)"
	}
	return ""
}
