// Package sock opens real TCP sockets in the namespaces of a lab and closes
// them in every way a program can.
//
// The sockets are made with socket(2) itself rather than with package net,
// which would turn on keepalive and, for listeners, Multipath TCP.
package sock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
)

// A Conn is one end of a TCP connection. When the context that it was made
// with ends, whatever waits on it returns that context's error.
type Conn struct {
	socket *socket
	closed bool
	// Local and Remote are the connection's addresses, seen from this end.
	Local, Remote netip.AddrPort
}

// Dial opens a connection from host and returns when its handshake is done.
func Dial(ctx context.Context, host *lab.Host, to netip.AddrPort) (*Conn, error) {
	fail := func(err error) (*Conn, error) {
		return nil, fmt.Errorf("dial %v from %s: %w", to, host.Name, err)
	}
	s, err := open(ctx, host, to.Addr())
	if err != nil {
		return fail(err)
	}
	if err := s.connect(to); err != nil {
		s.close()
		return fail(s.cause(err))
	}
	return newConn(s)
}

// connect is connect(2) on a non-blocking socket: once it is writable,
// SO_ERROR tells how the handshake ended. The call is made from inside the
// poller's loop, because what happened before that began is not waited for.
func (s *socket) connect(to netip.AddrPort) error {
	var err error
	started := false
	waited := s.raw.Write(func(fd uintptr) bool {
		if !started {
			started = true
			err = unix.Connect(int(fd), sockaddr(to))
			return !errors.Is(err, unix.EINPROGRESS)
		}
		var code int
		if code, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
			err = unix.Errno(code)
		}
		return true
	})
	if waited != nil {
		return waited
	}
	return err
}

func newConn(s *socket) (*Conn, error) {
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("getsockname of a connection: %w", err)
	}
	remote, err := unix.Getpeername(s.fd)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("getpeername of a connection: %w", err)
	}
	return &Conn{socket: s, Local: addrPort(local), Remote: addrPort(remote)}, nil
}

// Write hands all of data to the kernel.
func (c *Conn) Write(data []byte) error {
	if _, err := c.socket.file.Write(data); err != nil {
		return fmt.Errorf("write %d octets to %v: %w", len(data), c.Remote, c.socket.cause(err))
	}
	return nil
}

// Read reads exactly n octets.
func (c *Conn) Read(n int) error {
	if _, err := io.CopyN(io.Discard, c.socket.file, int64(n)); err != nil {
		return fmt.Errorf("read %d octets from %v: %w", n, c.Remote, c.socket.cause(err))
	}
	return nil
}

// ReadToEOF reads until the peer's FIN and returns when the program saw it. A
// reset is an error that wraps unix.ECONNRESET.
func (c *Conn) ReadToEOF() (clock.Instant, error) {
	if _, err := io.Copy(io.Discard, c.socket.file); err != nil {
		return 0, fmt.Errorf("read to the end from %v: %w", c.Remote, c.socket.cause(err))
	}
	return clock.Now(), nil
}
