package events_test

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe/events"
)

// A conn is one end of a TCP connection: a blocking socket.
type conn struct {
	fd            int
	host          *lab.Host
	local, remote netip.AddrPort
}

// connect opens a connection to a port of the server's.
func connect(t testing.TB, p pair, to netip.Addr) (client, server *conn) {
	t.Helper()
	from := netip.IPv4Unspecified()
	if to.Is6() {
		from = netip.IPv6Unspecified()
	}
	return connectBetween(t, p, netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0))
}

func connectBetween(t testing.TB, p pair, from, to netip.AddrPort) (client, server *conn) {
	t.Helper()
	listener := newSocket(t, p.server.Host, to)
	defer unix.Close(listener)
	if err := unix.Listen(listener, 1); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	fd := newSocket(t, p.client.Host, from)
	if err := unix.Connect(fd, bound); err != nil {
		t.Fatal(err)
	}
	accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return newConn(t, p.client.Host, fd), newConn(t, p.server.Host, accepted)
}

// newSocket makes a TCP socket on a host, bound to an address.
func newSocket(t testing.TB, host *lab.Host, to netip.AddrPort) (fd int) {
	t.Helper()
	domain := unix.AF_INET6
	var address unix.Sockaddr = &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	if to.Addr().Is4() {
		domain = unix.AF_INET
		address = &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	}
	if err := host.Do(func() (err error) {
		fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, address); err != nil {
		t.Fatal(err)
	}
	return fd
}

func newConn(t testing.TB, host *lab.Host, fd int) *conn {
	t.Helper()
	c := &conn{fd: fd, host: host}
	t.Cleanup(c.close)
	for address, name := range map[*netip.AddrPort]func(int) (unix.Sockaddr, error){&c.local: unix.Getsockname, &c.remote: unix.Getpeername} {
		sa, err := name(fd)
		if err != nil {
			t.Fatal(err)
		}
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			*address = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
		case *unix.SockaddrInet6:
			*address = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
		}
	}
	return c
}

func (c *conn) cookie(t testing.TB) uint64 {
	t.Helper()
	cookie, err := unix.GetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func (c *conn) watch(t testing.TB, r *events.Recorder) *events.Watch {
	t.Helper()
	w, err := r.Watch(c.host, c.local, c.remote, c.cookie(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (c *conn) shutdown(t testing.TB) {
	t.Helper()
	if err := unix.Shutdown(c.fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
}

// abort closes the socket with a RST.
func (c *conn) abort(t testing.TB) {
	t.Helper()
	if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		t.Fatal(err)
	}
	c.close()
}

func (c *conn) readToEOF(t testing.TB) {
	t.Helper()
	if n, err := unix.Read(c.fd, make([]byte, 1)); n != 0 || err != nil {
		t.Fatalf("read %d octets: %v, want the end", n, err)
	}
}

// awaitFinWait2 waits until the FIN has been acknowledged.
func (c *conn) awaitFinWait2(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		const finWait2 = 5
		if info.State == finWait2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connection is in state %d", info.State)
		}
	}
}

// awaitReset waits until the socket has been reset.
func (c *conn) awaitReset(t testing.TB) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(c.fd)}}
	if _, err := unix.Poll(poll, 10_000); err != nil {
		t.Fatal(err)
	}
	if poll[0].Revents&unix.POLLERR == 0 {
		t.Fatalf("the socket polls %#x, want an error", poll[0].Revents)
	}
}

func (c *conn) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd = -1
}
