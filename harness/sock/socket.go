package sock

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

// A socket is a non-blocking TCP socket that waits in the runtime's poller, and
// no longer than its context lasts.
type socket struct {
	file   *os.File
	raw    syscall.RawConn
	ctx    context.Context
	forget func() bool
	owner  *process // nil while the socket is this process's own
}

// open makes a socket in host's namespace.
func open(ctx context.Context, host *lab.Host, family netip.Addr) (*socket, error) {
	domain := unix.AF_INET
	if family.Is6() {
		domain = unix.AF_INET6
	}
	var fd int
	err := host.Do(func() (err error) {
		fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return adopt(ctx, fd)
}

func adopt(ctx context.Context, fd int) (*socket, error) {
	file := os.NewFile(uintptr(fd), "TCP socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("hand a socket to the poller: %w", err)
	}
	return &socket{
		file: file, raw: raw, ctx: ctx,
		// A deadline in the past wakes whoever waits on the socket.
		forget: context.AfterFunc(ctx, func() { _ = file.SetDeadline(time.Unix(1, 0)) }),
	}, nil
}

// control runs f on the descriptor. Once the socket is closed, when the number
// may be another file's, it returns an error that wraps os.ErrClosed.
func (s *socket) control(f func(fd int) error) error {
	var err error
	if s.raw.Control(func(fd uintptr) { err = f(int(fd)) }) != nil {
		return s.cause(os.ErrClosed) // the only reason that it has
	}
	return err
}

// close is close(2): nobody else may be waiting on the socket.
func (s *socket) close() error {
	s.forget()
	return s.closeUnforked()
}

// cause puts the context's error in the place of the deadline that its end
// brought about, and says why a socket is closed that nobody closed.
func (s *socket) cause(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case errors.Is(err, os.ErrClosed) && s.owner != nil:
		return errEntrusted
	}
	return err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
