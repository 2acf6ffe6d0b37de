package forge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

var (
	ipv4 = [2]netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")}
	ipv6 = [2]netip.Prefix{netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("2001:db8::2/64")}
)

// ends links a host without addresses to one that knows it by the first, and
// has the second.
func ends(t *testing.T, addresses [2]netip.Prefix) (client, server *lab.End) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	var plugs [2]lab.Plug
	for i, name := range []string{"client", "server"} {
		host, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		plugs[i] = lab.Plug{Host: host, Name: "eth0"}
	}
	plugs[1].Addresses = addresses[1:]
	link, err := l.Link(plugs[0], plugs[1])
	if err != nil {
		t.Fatal(err)
	}
	client, server = link.Ends[0], link.Ends[1]
	client.Addresses = addresses[:1]
	if err := lab.Introduce(client, server); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// listen opens a listening socket of the kernel's on an end.
func listen(t *testing.T, end *lab.End) *net.TCPListener {
	t.Helper()
	var listener *net.TCPListener
	if err := end.Host.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(end.Addresses[0].Addr(), 0)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// connected is a forged client and the socket that it speaks to.
func connected(t *testing.T, addresses [2]netip.Prefix) (*Client, *net.TCPConn) {
	t.Helper()
	near, far := ends(t, addresses)
	listener := listen(t, far)
	client, err := Dial(t.Context(), near, far, listener.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Abort)
	conn, err := listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client, conn
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isFIN(s segment.Segment) bool { return s.Flags.Has(segment.FIN) }

// The client's sequence numbers begin again at 0 in the middle of its request.
func TestAConversationWithARealSocket(t *testing.T) {
	t.Parallel()
	for _, addresses := range [][2]netip.Prefix{ipv4, ipv6} {
		client, conn := connected(t, addresses)
		if conn.RemoteAddr().(*net.TCPAddr).AddrPort() != client.Local {
			t.Errorf("%v speaks to %v", conn.RemoteAddr(), client.Local)
		}
		const request, response = 4415, 752
		must(t, client.Write(request))
		if n, err := conn.Read(make([]byte, 2*request)); n == 0 || err != nil {
			t.Fatalf("the server read %d octets: %v", n, err)
		}
		begin := client.RcvNxt
		_, err := conn.Write(make([]byte, response))
		must(t, err)
		must(t, client.Read(t.Context(), response))
		if got := client.RcvNxt - begin; got != response {
			t.Errorf("the client took %d octets, want %d", got, response)
		}
		if got := client.SndNxt - iss; got != 1+request || client.SndUna != client.SndNxt {
			t.Errorf("the client has sent %d, and %d of it is not acknowledged", got, client.SndNxt-client.SndUna)
		}
		must(t, conn.CloseWrite())
		fin, err := client.Await(t.Context(), isFIN)
		must(t, err)
		if fin.Seq != begin+response || client.RcvNxt != fin.End() {
			t.Errorf("after %v the client expects %d", fin, client.RcvNxt)
		}
		must(t, client.Acknowledge())
		must(t, client.Send(segment.Segment{Flags: segment.FIN | segment.ACK, Seq: client.SndNxt, Ack: client.RcvNxt}))
		covered := func(s segment.Segment) bool { return s.Covers(client.SndNxt + 1) }
		_, err = client.Await(t.Context(), covered)
		must(t, err)
	}
}

// Whatever state the server's kernel keeps of the connection, also of one that no
// program holds, the RST takes it away.
func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, addresses := range [][2]netip.Prefix{ipv4, ipv6} {
		for name, end := range map[string]func(*net.TCPConn) error{
			"open":          func(*net.TCPConn) error { return nil },
			"half-open":     (*net.TCPConn).CloseWrite,
			"without owner": (*net.TCPConn).Close,
		} {
			near, far := ends(t, addresses)
			// So long a FIN_WAIT2 keeps a full socket, which keeps its namespace.
			must(t, far.Host.SetSysctl("net.ipv4.tcp_fin_timeout", "3600"))
			listener := listen(t, far)
			client, err := Dial(t.Context(), near, far, listener.Addr().(*net.TCPAddr).AddrPort())
			must(t, err)
			conn, err := listener.AcceptTCP()
			must(t, err)
			must(t, client.Write(10))
			_, err = conn.Read(make([]byte, 10))
			must(t, err)
			must(t, end(conn))
			if name != "open" {
				_, err = client.Await(t.Context(), isFIN)
				must(t, err)
				must(t, client.Acknowledge())
			}
			must(t, listener.Close())
			client.Abort()
			expectNoSockets(t, name, far)
			conn.Close()
		}
	}
}

// expectNoSockets waits until the kernel knows no connection any more: a RST may
// have to wait for its processor.
func expectNoSockets(t *testing.T, name string, end *lab.End) {
	t.Helper()
	family := uint8(unix.AF_INET)
	if end.Addresses[0].Addr().Is6() {
		family = unix.AF_INET6
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		sockets, err := end.Host.Netlink.SocketDiagTCP(family)
		must(t, err)
		if len(sockets) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d connections are left, the first in state %d", name, len(sockets), sockets[0].State)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestARefusalIsAReset(t *testing.T) {
	t.Parallel()
	near, far := ends(t, ipv4)
	closed := netip.AddrPortFrom(far.Addresses[0].Addr(), 9)
	if _, err := Dial(t.Context(), near, far, closed); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a closed port gave %v", err)
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	client, conn := connected(t, ipv4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := client.Await(ctx, isFIN); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait without end gave %v", err)
	}
	// The next wait is another one's.
	must(t, conn.CloseWrite())
	_, err := client.Await(t.Context(), isFIN)
	must(t, err)
}
