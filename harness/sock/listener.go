package sock

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

// A Listener accepts connections.
type Listener struct {
	socket *socket
	// Addr is what the listener is bound to.
	Addr netip.AddrPort
}

// Listen opens a listening socket on host; port 0 picks a free one. When ctx
// ends, Accept and everything on the connections accepted return its error.
func Listen(ctx context.Context, host *lab.Host, addr netip.AddrPort) (*Listener, error) {
	fail := func(err error) (*Listener, error) {
		return nil, fmt.Errorf("listen on %v of %s: %w", addr, host.Name, err)
	}
	s, err := open(ctx, host, addr.Addr())
	if err != nil {
		return fail(err)
	}
	l := &Listener{socket: s}
	if err := l.bind(addr); err != nil {
		s.close()
		return fail(err)
	}
	return l, nil
}

func (l *Listener) bind(addr netip.AddrPort) error {
	return l.socket.control(func(fd int) error {
		if err := unix.Bind(fd, sockaddr(addr)); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
			return err
		}
		bound, err := unix.Getsockname(fd)
		if err != nil {
			return fmt.Errorf("getsockname: %w", err)
		}
		l.Addr = addrPort(bound)
		return nil
	})
}

// Accept waits for a connection that has finished its handshake.
func (l *Listener) Accept() (*Conn, error) {
	var (
		fd  int
		err error
	)
	waited := l.socket.raw.Read(func(listener uintptr) bool {
		fd, _, err = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil {
		err = l.socket.cause(waited)
	}
	if err != nil {
		return nil, fmt.Errorf("accept on %v: %w", l.Addr, err)
	}
	s, err := adopt(l.socket.ctx, fd)
	if err != nil {
		return nil, err
	}
	return newConn(s)
}

// Close stops listening.
func (l *Listener) Close() { l.socket.close() }
