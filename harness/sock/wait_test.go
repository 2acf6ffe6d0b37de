package sock_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

// silent is an address at which nobody answers, not even with an error.
var silent = netip.MustParseAddrPort("192.0.2.3:9")

// silence makes a's segments to the silent address go to b, which is not the
// one that they are for.
func silence(t *testing.T, a, b *lab.Host) {
	t.Helper()
	sendTo(t, a, silent.Addr(), link(t, b).Attrs().HardwareAddr)
}

// sendTo has a host send what is for an address to a hardware address.
func sendTo(t *testing.T, from *lab.Host, address netip.Addr, hardware net.HardwareAddr) {
	t.Helper()
	if err := from.Netlink.NeighSet(&netlink.Neigh{
		LinkIndex:    link(t, from).Attrs().Index,
		State:        netlink.NUD_PERMANENT,
		IP:           net.IP(address.AsSlice()),
		HardwareAddr: hardware,
	}); err != nil {
		t.Fatal(err)
	}
}

// link returns the link of a host that linked has linked.
func link(t *testing.T, host *lab.Host) netlink.Link {
	t.Helper()
	found, err := host.Netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestContextEndsEveryWait(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	silence(t, a, b)
	for _, wait := range []struct {
		name string
		on   func(ctx context.Context, listener *sock.Listener, dialled, accepted *sock.Conn) error
	}{
		{"accept", func(_ context.Context, l *sock.Listener, _, _ *sock.Conn) error { _, err := l.Accept(); return err }},
		{"dial", func(ctx context.Context, _ *sock.Listener, _, _ *sock.Conn) error {
			_, err := sock.Dial(ctx, a, silent)
			return err
		}},
		{"read on the dialled end", func(_ context.Context, _ *sock.Listener, c, _ *sock.Conn) error { return c.Read(1) }},
		{"read on the accepted end", func(_ context.Context, _ *sock.Listener, _, c *sock.Conn) error { _, err := c.ReadToEOF(); return err }},
		// More than both ends' buffers hold.
		{"write", func(_ context.Context, _ *sock.Listener, c, _ *sock.Conn) error { return c.Write(make([]byte, 64<<20)) }},
	} {
		t.Run(wait.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			listener, dialled, accepted := connect(t, ctx, a, b)
			ended := make(chan error, 1)
			go func() { ended <- wait.on(ctx, listener, dialled, accepted) }()
			// Whether it waits by now or not, its end is the same.
			time.AfterFunc(5*time.Millisecond, cancel)
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want %v", err, context.Canceled)
				}
			case <-time.After(10 * time.Second):
				t.Error("the wait did not end")
			}
		})
	}
}

// A new socket is writable until it connects; the poller's event of that may
// come while the handshake goes on.
func TestDialIsNotDoneBeforeTheHandshake(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	silence(t, a, b)
	var dials sync.WaitGroup
	for range 32 {
		dials.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				_, err := sock.Dial(ctx, a, silent)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
					return
				}
			}
		})
	}
	dials.Wait()
}
