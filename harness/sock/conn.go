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
	// Local and Remote are the connection's addresses, seen from this end.
	Local, Remote netip.AddrPort
	options       []Option
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

// Begin is Dial without the wait: connect(2) was called and has sent a SYN, or has
// failed, when it returns. What can be done with the connection before its handshake
// is over is to end it.
func Begin(ctx context.Context, host *lab.Host, to netip.AddrPort) (*Conn, error) {
	fail := func(err error) (*Conn, error) {
		return nil, fmt.Errorf("begin to dial %v from %s: %w", to, host.Name, err)
	}
	s, err := open(ctx, host, to.Addr())
	if err != nil {
		return fail(err)
	}
	c := &Conn{socket: s, Remote: to}
	if err := s.control(func(fd int) error {
		if err := unix.Connect(fd, sockaddr(to)); !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		local, err := unix.Getsockname(fd)
		if err != nil {
			return fmt.Errorf("getsockname: %w", err)
		}
		c.Local = addrPort(local)
		return nil
	}); err != nil {
		s.close()
		return fail(err)
	}
	return c, nil
}

// connect is connect(2) on a non-blocking socket, followed by a wait for the
// handshake to end. The call is made from inside the poller's loop, because what
// happened before that began is not waited for.
func (s *socket) connect(to netip.AddrPort) error {
	var err error
	started := false
	waited := s.raw.Write(func(fd uintptr) bool {
		if !started {
			started = true
			err = unix.Connect(int(fd), sockaddr(to))
			return !errors.Is(err, unix.EINPROGRESS)
		}
		err = handshake(int(fd))
		return !errors.Is(err, unix.EINPROGRESS)
	})
	if waited != nil {
		return waited
	}
	return err
}

// handshake returns how the handshake ended, or unix.EINPROGRESS. A wake from
// the poller does not tell that it ended: a socket is writable before it
// connects, too, and that event may come late (go.dev/issue/14548). Nor does a
// SO_ERROR of 0, but a socket that has a peer is connected.
func handshake(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("SO_ERROR: %w", err)
	}
	if code != 0 {
		return unix.Errno(code)
	}
	if _, err := unix.Getpeername(fd); errors.Is(err, unix.ENOTCONN) {
		return unix.EINPROGRESS
	}
	return nil
}

func newConn(s *socket) (*Conn, error) {
	c := &Conn{socket: s}
	err := s.control(func(fd int) error {
		local, err := unix.Getsockname(fd)
		if err != nil {
			return fmt.Errorf("getsockname of a connection: %w", err)
		}
		remote, err := unix.Getpeername(fd)
		if err != nil {
			return fmt.Errorf("getpeername of a connection: %w", err)
		}
		c.Local, c.Remote = addrPort(local), addrPort(remote)
		return nil
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return c, nil
}

// Write hands all of data to the kernel.
func (c *Conn) Write(data []byte) error {
	if _, err := c.socket.file.Write(data); err != nil {
		return fmt.Errorf("write %d octets to %v: %w", len(data), c.Remote, c.socket.cause(err))
	}
	return nil
}

// WriteMore hands all of data to the kernel, which is to wait for more before it sends
// what does not fill a segment: a FIN that follows goes with it (send(2), MSG_MORE).
func (c *Conn) WriteMore(data []byte) error {
	var err error
	waited := c.socket.raw.Write(func(fd uintptr) bool {
		for len(data) > 0 {
			var n int
			if n, err = unix.SendmsgN(int(fd), data, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL); err != nil {
				return !errors.Is(err, unix.EAGAIN)
			}
			data = data[n:]
		}
		return true
	})
	if waited != nil {
		err = c.socket.cause(waited)
	}
	if err != nil {
		return fmt.Errorf("send %d octets to %v, with more to come: %w", len(data), c.Remote, err)
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

// ReadFull reads as much as there is room for.
func (c *Conn) ReadFull(into []byte) error {
	if _, err := io.ReadFull(c.socket.file, into); err != nil {
		return fmt.Errorf("read %d octets from %v: %w", len(into), c.Remote, c.socket.cause(err))
	}
	return nil
}

// ReadToEOF reads until the peer's FIN and returns when the program saw it. A
// reset is an error that wraps unix.ECONNRESET.
func (c *Conn) ReadToEOF() (clock.Instant, error) { return c.ReadToEOFInto(io.Discard) }

// ReadToEOFInto is the same, and writes what was read.
func (c *Conn) ReadToEOFInto(w io.Writer) (clock.Instant, error) {
	if _, err := io.Copy(w, c.socket.file); err != nil {
		return 0, fmt.Errorf("read to the end from %v: %w", c.Remote, c.socket.cause(err))
	}
	return clock.Now(), nil
}

// ReadReady reads what has arrived and waits for nothing: n is 0 where there is
// nothing to read. eof is true once the peer's FIN has been read. A reset is an error
// that wraps unix.ECONNRESET.
func (c *Conn) ReadReady(into []byte) (n int, eof bool, err error) {
	err = c.socket.control(func(fd int) (err error) {
		n, err = unix.Read(fd, into)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read what has arrived from %v: %w", c.Remote, err)
	}
	return n, n == 0, nil
}
