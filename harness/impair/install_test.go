package impair

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// The FIN comes late by the delay; what was sent before it does not.
func TestHoldFINHoldsTheFIN(t *testing.T) {
	var missing *kernel.MissingCapability
	if err := HoldAvailable(); errors.As(err, &missing) {
		t.Skip(err)
	}
	for _, addresses := range [][2]string{
		{"192.0.2.1/24", "192.0.2.2/24"},
		{"2001:db8::1/64", "2001:db8::2/64"},
	} {
		client, server, end := connected(t, addresses)
		from, to := addrPort(client.LocalAddr()), addrPort(client.RemoteAddr())
		hold, err := HoldFIN(end, from, to, MaxHold)
		if err != nil {
			t.Fatal(err)
		}
		counts := func() Counts {
			t.Helper()
			c, err := hold.Counts()
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if _, err := client.Write([]byte("data")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		if got := counts(); got != (Counts{}) {
			t.Errorf("%v: before the FIN: %+v", from, got)
		}
		began := time.Now()
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("want the FIN, got %v", err)
		}
		const rounding = time.Millisecond
		if took := time.Since(began); took < MaxHold-rounding {
			t.Errorf("%v: the FIN was held for %v, not for %v", from, took, MaxHold)
		}
		if got, want := counts(), (Counts{Held: 1}); got != want {
			t.Errorf("%v: after the FIN: %+v, want %+v", from, got, want)
		}
	}
}

// connected returns both ends of a connection over a link, and the client's end
// of that.
func connected(t *testing.T, addresses [2]string) (client, server *net.TCPConn, end *lab.End) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	var plugs [2]lab.Plug
	for i, address := range addresses {
		host, err := l.Host(string(rune('a' + i)))
		if err != nil {
			t.Fatal(err)
		}
		plugs[i] = lab.Plug{Host: host, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	link, err := l.Link(plugs[0], plugs[1])
	if err != nil {
		t.Fatal(err)
	}
	end = link.Ends[0]
	address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(link.Ends[1].Addresses[0].Addr(), 0))
	var listener *net.TCPListener
	if err := link.Ends[1].Host.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := end.Host.Do(func() (err error) {
		client, err = net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = listener.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server, end
}

func addrPort(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }
