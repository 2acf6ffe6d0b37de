// Package rootless lets an ordinary user do what takes root: make network
// namespaces, and links, addresses and packet sockets in them. Who is not
// allowed to, runs the program again in a user namespace of its own
// (user_namespaces(7)), in which he is; where the system forbids that as well,
// it is said which of its settings does.
package rootless

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

// The main goroutine keeps the process's first thread, the only one that cannot
// end. All others may: a thread that has entered a network namespace from a user
// namespace cannot come back to the machine's own, so it has to. And the first
// thread's end is what a child with a parent-death signal waits for.
func init() { runtime.LockOSThread() }

// Enter returns nil where this process may make network namespaces. Where it
// may not, Enter runs the program again in a user namespace, with the same
// arguments, environment and open files, but SIGTTOU ignored, passes signals on to
// it, and exits with its status, or 128 and the signal's number if a signal ended it. An error
// means that it may not there either, and is a *Forbidden where the system said
// so. Enter belongs at the beginning of main, on its goroutine.
func Enter() error {
	err := tryOut()
	if os.Getenv(probing) != "" {
		os.Exit(tell(err))
	}
	if !errors.Is(err, fs.ErrPermission) {
		return forbidden(networkNamespace, err)
	}
	// The program runs in a process group of its own, in the background of a
	// terminal, which may stop such a one when it writes (stty(1), tostop). What is
	// ignored stays so across exec.
	signal.Ignore(unix.SIGTTOU)
	if err := probe(); err != nil {
		return err
	}
	status, err := again()
	if err != nil {
		return forbidden(userNamespace, err)
	}
	os.Exit(status)
	return nil
}

// tryOut does what everything else begins with, on a thread that ends with its
// goroutine: it makes a network namespace and sets the loopback in it up.
func tryOut() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		result <- makeNetwork()
	}()
	return <-result
}

func makeNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNET): %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket for ioctls: %w", err)
	}
	defer unix.Close(fd)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("set up the loopback of a new network namespace: %w", err)
	}
	return nil
}
