package topologies_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

// connect opens a TCP connection between the ends of a pair, between sockets of the
// family that its addresses have.
func connect(t *testing.T, ctx context.Context, pair topologies.Pair) (client, server *sock.Conn) {
	t.Helper()
	return connectTo(t, ctx, pair, pair.Server.Addresses[0].Addr())
}

// connectTo opens a TCP connection between the ends of a pair, whose server calls
// itself by an address.
func connectTo(t *testing.T, ctx context.Context, pair topologies.Pair, server netip.Addr) (near, far *sock.Conn) {
	t.Helper()
	listener, err := sock.Listen(ctx, pair.Server.Host, netip.AddrPortFrom(server, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.Close)
	if near, err = sock.Dial(ctx, pair.Client.Host, listener.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// patience is how long a test waits for what takes no time to speak of.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// build skips where the kernel proves to lack what a topology needs.
func build[T any](t *testing.T, make func(*lab.Lab, topologies.Family) (T, error), family topologies.Family) T {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	made, err := make(l, family)
	var missing *kernel.MissingCapability
	if errors.As(err, &missing) || errors.Is(err, lab.ErrNoIPv6) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A connection carries data both ways and ends, over every topology and family,
// and nothing is lost at its beginning, when the links are new.
func TestEveryTopologyCarriesAConnection(t *testing.T) {
	for name, make := range map[string]func(*lab.Lab, topologies.Family) (topologies.Pair, error){
		"pair": topologies.NewPair,
		"wired": func(l *lab.Lab, family topologies.Family) (topologies.Pair, error) {
			w, err := topologies.NewWired(l, family, wire.RoundTrip(time.Millisecond))
			return w.Pair, err
		},
		"routed": func(l *lab.Lab, family topologies.Family) (topologies.Pair, error) {
			r, err := topologies.NewRouted(l, family)
			return r.Pair, err
		},
		"bridged": func(l *lab.Lab, family topologies.Family) (topologies.Pair, error) {
			b, err := topologies.NewBridged(l, family)
			return b.Pair, err
		},
	} {
		for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6, topologies.IPv4Mapped} {
			t.Run(name+"/"+string(family), func(t *testing.T) {
				t.Parallel()
				pair := build(t, make, family)
				address := family.Socket(pair.Server.Addresses[0].Addr())
				client, server := connectTo(t, patience(t), pair, address)
				if got := client.Remote.Addr(); got != address {
					t.Errorf("the client calls the server %v, want %v", got, address)
				}
				info, err := client.Info()
				if err != nil {
					t.Fatal(err)
				}
				if n := info.TCP.Total_retrans; n != 0 {
					t.Errorf("the SYN had to be sent again %d times, a second and more later", n)
				}
				exchange(t, client, server)
			})
		}
	}
}

// exchange has each end send more than a segment's worth and shut down.
func exchange(t *testing.T, client, server *sock.Conn) {
	t.Helper()
	const octets = 20_000
	for _, way := range [][2]*sock.Conn{{client, server}, {server, client}} {
		from, to := way[0], way[1]
		if err := from.Write(make([]byte, octets)); err != nil {
			t.Fatal(err)
		}
		if err := to.Read(octets); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range [][2]*sock.Conn{{client, server}, {server, client}} {
		from, to := way[0], way[1]
		if _, err := from.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if _, err := to.ReadToEOF(); err != nil {
			t.Fatal(err)
		}
	}
}

// A router stands between subnets, and forwards; the hosts beside it do what a
// host without a router does.
func TestOnlyTheRouterForwards(t *testing.T) {
	t.Parallel()
	for family, folder := range map[topologies.Family]string{topologies.IPv4: "ipv4", topologies.IPv6: "ipv6"} {
		forwards := func(end *lab.End) (value string) {
			if err := end.Host.Do(func() error {
				got, err := os.ReadFile("/proc/sys/net/" + folder + "/conf/" + end.Name + "/forwarding")
				value = string(got)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return value
		}
		r, pair := build(t, topologies.NewRouted, family), build(t, topologies.NewPair, family)
		if got := r.ToClient.Addresses[0].Masked(); got != r.Client.Addresses[0].Masked() || got == r.Server.Addresses[0].Masked() {
			t.Errorf("the subnets are those of %v, %v and %v", r.Client.Addresses, r.ToClient.Addresses, r.Server.Addresses)
		}
		for _, end := range []*lab.End{r.ToClient, r.ToServer} {
			if got := forwards(end); got != "1\n" {
				t.Errorf("%s on %s: forwarding is %q", end.Name, end.Host.Name, got)
			}
		}
		if got, want := forwards(r.Client), forwards(pair.Client); got != want {
			t.Errorf("%s: forwarding is %q on the client, without a router it is %q", family, got, want)
		}
	}
}
