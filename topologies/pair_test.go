package topologies_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/topologies"
)

func TestPairHasTheFamilyAskedFor(t *testing.T) {
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		l := lab.New()
		t.Cleanup(l.Close)
		pair, err := topologies.NewPair(l, family)
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []*lab.End{pair.Client, pair.Server} {
			if len(end.Addresses) != 1 || end.Addresses[0].Addr().Is6() != (family == topologies.IPv6) {
				t.Errorf("%s over %s has the addresses %v", end.Host.Name, family, end.Addresses)
			}
		}
	}
}

func TestAnUnknownFamilyIsRefusedByName(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	_, pair := topologies.NewPair(l, "ipv5")
	_, wired := topologies.NewWired(l, "")
	_, routed := topologies.NewRouted(l, "ipv4 ")
	_, bridged := topologies.NewBridged(l, "IPv6")
	for _, err := range []error{pair, wired, routed, bridged} {
		if err == nil || !strings.Contains(err.Error(), `want "ipv4", "ipv6" or "ipv4-mapped"`) {
			t.Errorf("got %v", err)
		}
	}
}

// The two benchmarks are to be read together: a Pair may cost at most half as
// much again as the netlink calls that nobody can do without.
func BenchmarkPair(b *testing.B) {
	b.Run("finwait", func(b *testing.B) {
		for b.Loop() {
			l := lab.New()
			if _, err := topologies.NewPair(l, topologies.IPv4); err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
	})
	b.Run("netlink", func(b *testing.B) {
		for b.Loop() {
			if err := barePair(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// barePair makes the same pair with nothing but calls of the netlink library:
// two namespaces, a veth pair created straight into them, addresses, links up.
// It has no sysctls, neighbours and offloads, and does not wait for the link.
func barePair() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends here
		done <- func() error {
			client, clientNetlink, err := bareNamespace()
			if err != nil {
				return err
			}
			defer client.Close()
			defer clientNetlink.Close()
			server, serverNetlink, err := bareNamespace()
			if err != nil {
				return err
			}
			defer server.Close()
			defer serverNetlink.Close()

			attrs := netlink.NewLinkAttrs()
			attrs.Name = "eth0"
			veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(server)}
			if err := clientNetlink.LinkAdd(veth); err != nil {
				return err
			}
			return errors.Join(
				bareUp(clientNetlink, "192.0.2.1/24"),
				bareUp(serverNetlink, "192.0.2.2/24"),
			)
		}()
	}()
	return <-done
}

func bareNamespace() (netns.NsHandle, *netlink.Handle, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return netns.None(), nil, os.NewSyscallError("unshare", err)
	}
	ns, err := netns.Get()
	if err != nil {
		return netns.None(), nil, err
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE) //nolint:forbidigo // the calling thread's namespace is meant
	return ns, handle, err
}

func bareUp(handle *netlink.Handle, address string) error {
	link, err := handle.LinkByName("eth0")
	if err != nil {
		return err
	}
	prefix := netip.MustParsePrefix(address)
	ipNet := &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)}
	if err := handle.AddrAdd(link, &netlink.Addr{IPNet: ipNet}); err != nil {
		return err
	}
	return handle.LinkSetUp(link)
}
