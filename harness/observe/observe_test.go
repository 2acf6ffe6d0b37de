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

// A connection over the loopback is enough to see that counters and
// states are the namespace's own.
func TestNamespacesCountForThemselves(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	var hosts [2]*lab.Host
	var before [2]Counters
	for i := range hosts {
		var err error
		if hosts[i], err = l.Host("host"); err != nil {
			t.Fatal(err)
		}
		if before[i], err = ReadCounters(hosts[i]); err != nil {
			t.Fatal(err)
		}
	}
	local, remote := listenAndConnect(t, hosts[0])
	for i, want := range []int64{1, 0} {
		after, err := ReadCounters(hosts[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := after.Moved(before[i])["PassiveOpens"]; got != want {
			t.Errorf("host %d counts %d connections, want %d", i, got, want)
		}
	}
	for i, want := range []State{"ESTABLISHED", Closed} {
		if got, err := StateOf(hosts[i], local, remote); err != nil || got != want {
			t.Errorf("host %d has the connection in %s (%v), want %s", i, got, err, want)
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
