package observe

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

func TestParse(t *testing.T) {
	got := Counters{}
	err := got.parse([]byte("Ip: Forwarding\nIp: 1\nTcp: MaxConn RetransSegs\nTcp: -1 7\nTcpExt: TCPTimeouts\nTcpExt: 3\nMPTcpExt: X\nMPTcpExt: 9\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counters{"MaxConn": -1, "RetransSegs": 7, "TCPTimeouts": 3}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"Tcp: A B\nTcp: 1\n", "Tcp: A\n", "Tcp: A\nTcpExt: 1\n", "Tcp: A\nTcp: x\n", "\n\n"} {
		if err := (Counters{}).parse([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestMovedLeavesOutWhatStoodStill(t *testing.T) {
	moved := Counters{"A": 3, "B": 5, "New": 1, "Zero": 0}.Moved(Counters{"A": 1, "B": 5})
	if want := (Counters{"A": 2, "New": 1}); !maps.Equal(moved, want) {
		t.Errorf("got %v, want %v", moved, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("Tcp: A\nTcp: 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := Counters{}
		if got.parse(text) == nil && len(got) > 0 && !strings.Contains(string(text), "Tcp") {
			t.Errorf("%q gave %v", text, got)
		}
	})
}

func TestWithoutTCPDiagThatIsWhatIsMissing(t *testing.T) {
	var missing *kernel.MissingCapability
	if err := lacking(unix.ENOENT); !errors.As(err, &missing) || missing.Name != "tcp_diag" {
		t.Errorf("sock_diag's answer without tcp_diag was taken for: %v", err)
	}
	if err := lacking(unix.ENOMEM); errors.As(err, &missing) {
		t.Errorf("a failure was taken for a missing capability: %v", err)
	}
}

// observed returns a host of its own, and what asks it.
func observed(t *testing.T, l *lab.Lab) (*lab.Host, *Observer) {
	t.Helper()
	host, err := l.Host("host")
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(host)
	if err != nil {
		t.Fatal(err)
	}
	l.OnClose(o.Close)
	return host, o
}

// A connection over the loopback is enough to see that counters, sockets and
// states are the namespace's own.
func TestNamespacesCountForThemselves(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	var hosts [2]*lab.Host
	var observers [2]*Observer
	var before [2]Counters
	for i := range hosts {
		hosts[i], observers[i] = observed(t, l)
		var err error
		if before[i], err = observers[i].Counters(); err != nil {
			t.Fatal(err)
		}
	}
	local, remote := listenAndConnect(t, hosts[0])
	for i, want := range []struct {
		opened  int64
		sockets int
		state   State
	}{{1, 3, "ESTABLISHED"}, {0, 0, Closed}} {
		after, err := observers[i].Counters()
		if err != nil {
			t.Fatal(err)
		}
		if got := after.Moved(before[i])["PassiveOpens"]; got != want.opened {
			t.Errorf("host %d counts %d connections, want %d", i, got, want.opened)
		}
		if got, err := observers[i].Sockets(); got != want.sockets || err != nil {
			t.Errorf("host %d has %d sockets (%v), want %d", i, got, err, want.sockets)
		}
		if got, err := observers[i].StateOf(local, remote); err != nil || got != want.state {
			t.Errorf("host %d has the connection in %s (%v), want %s", i, got, err, want.state)
		}
	}
}

// A listener answers for connections that are not there.
func TestAListenerIsNoConnection(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	host, o := observed(t, l)
	local, listener := listenAndConnect(t, host)
	other := netip.AddrPortFrom(local.Addr(), local.Port()^1)
	if got, err := o.StateOf(listener, other); got != Closed || err != nil {
		t.Errorf("a connection that never was is in %s (%v), want %s", got, err, Closed)
	}
}

// The listener stays, though it is what the kernel finds in the place of a
// connection that is gone.
func TestDestroyLeavesNothingButTheListener(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	host, o := observed(t, l)
	local, remote := listenAndConnect(t, host)
	for range 2 {
		err := errors.Join(o.Destroy(local, remote), o.Destroy(remote, local))
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Skip("this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := o.StateOf(local, remote); got != Closed || err != nil {
		t.Errorf("a destroyed connection is in %s (%v)", got, err)
	}
	if got, err := o.Sockets(); got != 1 || err != nil {
		t.Errorf("%d sockets are left (%v), want the listener", got, err)
	}
}

func TestCountSockets(t *testing.T) {
	for text, want := range map[string]int{
		"sockets: used 9\nTCP: inuse 3 orphan 7 tw 2 alloc 8 mem 1\nUDP: inuse 4 mem 0\n": 5,
		"TCP6: inuse 3\nUDP6: inuse 4\n": 3,
	} {
		if got, err := countSockets(text); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "UDP: inuse 1\n", "TCP: inuse many\n"} {
		if got, err := countSockets(bad); err == nil {
			t.Errorf("%q was read as %d", bad, got)
		}
	}
}

// listenAndConnect connects a host to itself.
func listenAndConnect(t *testing.T, host *lab.Host) (local, remote netip.AddrPort) {
	t.Helper()
	lo, err := host.Netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	address := func(fd int, name func(int) (unix.Sockaddr, error)) netip.AddrPort {
		sa, err := name(fd)
		if err != nil {
			t.Fatal(err)
		}
		in4 := sa.(*unix.SockaddrInet4)
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port))
	}
	var listener, client int
	err = host.Do(func() (err error) {
		if listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		return unix.Listen(listener, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(listener); unix.Close(client) })
	bound, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(client, bound); err != nil {
		t.Fatal(err)
	}
	return address(client, unix.Getsockname), address(client, unix.Getpeername)
}
