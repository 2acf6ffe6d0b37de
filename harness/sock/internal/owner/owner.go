// Package owner is the other side of sock.Conn's Entrust: what the process does
// that is to own a socket. It is the same program, started again, and never
// comes to its main function.
//
// Being a program that may be large, it would spend most of its start on the
// set-up of packages that it has no use for. So this package imports syscall
// alone: packages are initialised in the order of their paths, each as soon as
// those that it imports are (go.dev/ref/spec, Package initialization), which is
// here before os is, and before all that needs os.
package owner

import "syscall"

const (
	// Called is the variable whose presence in the environment says that this is
	// to be the owner of a socket.
	Called = "FINWAIT_OWNS_A_SOCKET"
	// Ready is what the owner writes to its standard output when it waits for
	// the order to exit.
	Ready = '+'
	// Socket is the descriptor of what is owned.
	Socket = 3
)

func init() {
	if _, called := syscall.Getenv(Called); called {
		own()
	}
}

// own exits at the first octet on standard input, or at its end: the other end
// of that pipe is in the process that gives the orders, and goes with it. The
// socket is not touched, only held; what else that process had open to its
// children is let go of.
func own() {
	const closeRange = 436 // on amd64, arm64 and most others; package syscall lacks it
	_, _, _ = syscall.RawSyscall(closeRange, Socket+1, 1<<32-1, 0)
	_, _ = syscall.Write(syscall.Stdout, []byte{Ready})
	var order [1]byte
	for {
		if _, err := syscall.Read(syscall.Stdin, order[:]); err != syscall.EINTR {
			syscall.Exit(0)
		}
	}
}
