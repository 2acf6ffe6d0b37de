package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ErrNoIPv6 is returned for an IPv6 address on a kernel that has no IPv6.
var ErrNoIPv6 = errors.New("the kernel has no IPv6 (or it was turned off with ipv6.disable=1)")

// A Link is a veth pair: what one end sends, the other receives.
type Link struct {
	Ends [2]*End
}

// An End is one end of a link, up, with its addresses, in its host.
type End struct {
	Host      *Host
	Name      string
	Index     int
	MAC       net.HardwareAddr
	Addresses []netip.Prefix
}

// Plug says what an end of a new link shall be.
type Plug struct {
	Host *Host
	// Name is the interface's name in its host, at most 15 characters.
	Name      string
	Addresses []netip.Prefix
}

// offloads are turned off on every end, so that a tap sees segments as they
// would be on a wire: none larger than the MTU, each with its checksum.
var offloads = map[string]bool{
	"tx-checksum-ip-generic":       false,
	"tx-tcp-segmentation":          false,
	"tx-tcp6-segmentation":         false,
	"tx-tcp-ecn-segmentation":      false,
	"tx-tcp-mangleid-segmentation": false,
	"tx-generic-segmentation":      false,
	"rx-gro":                       false,
}

// Link connects two hosts. The ends know each other's hardware addresses, so
// neither ARP nor neighbour discovery is ever sent; offloads are off; when Link
// returns, a frame sent by either end arrives at the other.
func (l *Lab) Link(a, b Plug) (*Link, error) {
	link := &Link{Ends: [2]*End{newEnd(a, 1), newEnd(b, 2)}}
	near, far := link.Ends[0], link.Ends[1]
	fail := func(err error) (*Link, error) {
		return nil, fmt.Errorf("link %s:%s to %s:%s: %w", a.Host.Name, a.Name, b.Host.Name, b.Name, err)
	}
	events, err := near.watch()
	if err != nil {
		return fail(err)
	}
	defer events.Close()

	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = near.Name, near.MAC
	veth := &netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         far.Name,
		PeerHardwareAddr: far.MAC,
		PeerNamespace:    netlink.NsFd(far.Host.FD()),
	}
	if err := near.Host.Netlink.LinkAdd(veth); err != nil {
		return fail(fmt.Errorf("create the veth pair: %w", err))
	}
	for i, end := range link.Ends {
		if err := end.configure(link.Ends[1-i]); err != nil {
			return fail(fmt.Errorf("%s on %s: %w", end.Name, end.Host.Name, err))
		}
	}
	if err := near.awaitCarrier(events); err != nil {
		return fail(fmt.Errorf("%s on %s: %w", near.Name, near.Host.Name, err))
	}
	return link, nil
}

func newEnd(p Plug, number byte) *End {
	return &End{
		Host:      p.Host,
		Name:      p.Name,
		MAC:       net.HardwareAddr{0x02, 0, 0, 0, 0, number}, // locally administered
		Addresses: p.Addresses,
	}
}

// configure brings the end up, with its addresses and the way to its peer's.
func (e *End) configure(peer *End) error {
	nl := e.Host.Netlink
	link, err := nl.LinkByName(e.Name)
	if err != nil {
		return err
	}
	e.Index = link.Attrs().Index
	if err := e.Host.Do(e.turnOffloadsOff); err != nil {
		return err
	}
	// Without IFF_MULTICAST the kernel sends no MLD reports for the groups
	// that IPv6 joins by itself.
	if err := nl.LinkSetMulticastOff(link); err != nil {
		return fmt.Errorf("turn multicast off: %w", err)
	}
	for _, prefix := range e.Addresses {
		addr := &netlink.Addr{IPNet: ipNet(prefix)}
		if prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := nl.AddrAdd(link, addr); err != nil {
			if prefix.Addr().Is6() && errors.Is(err, unix.EOPNOTSUPP) {
				err = ErrNoIPv6
			}
			return fmt.Errorf("add address %v: %w", prefix, err)
		}
	}
	if err := nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	for _, prefix := range peer.Addresses {
		if err := nl.NeighSet(&netlink.Neigh{
			LinkIndex:    e.Index,
			State:        netlink.NUD_PERMANENT,
			IP:           prefix.Addr().AsSlice(),
			HardwareAddr: peer.MAC,
		}); err != nil {
			return fmt.Errorf("set the neighbour %v: %w", prefix.Addr(), err)
		}
	}
	return nil
}

func (e *End) turnOffloadsOff() error {
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("open ethtool: %w", err)
	}
	defer tool.Close()
	if err := tool.Change(e.Name, offloads); err != nil {
		return fmt.Errorf("turn offloads off: %w", err)
	}
	return nil
}

// watch subscribes to what the kernel says of the links of e's host.
func (e *End) watch() (events *nl.NetlinkSocket, err error) {
	err = e.Host.Do(func() error {
		events, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to link events of %s: %w", e.Host.Name, err)
	}
	return events, nil
}

// carrierDeadline bounds the wait for a work item that the kernel queues
// without delay.
const carrierDeadline = 10 * time.Second

// awaitCarrier waits until the end that was set up first can send. Its carrier
// came on only with its peer's, and the kernel replaces its noop qdisc, which
// drops everything in silence, from a work queue (net/core/link_watch.c,
// linkwatch_do_dev): the event it sends afterwards is the sign.
func (e *End) awaitCarrier(events *nl.NetlinkSocket) error {
	if err := events.SetReceiveTimeout(&unix.Timeval{Sec: int64(carrierDeadline / time.Second)}); err != nil {
		return err
	}
	for {
		messages, _, err := events.Receive()
		if err != nil {
			return fmt.Errorf("wait for the carrier: %w", err)
		}
		for _, m := range messages {
			if m.Header.Type != unix.RTM_NEWLINK {
				continue
			}
			link, err := netlink.LinkDeserialize((*unix.NlMsghdr)(&m.Header), m.Data)
			if err != nil {
				return fmt.Errorf("read a link event: %w", err)
			}
			if link.Attrs().Index == e.Index && link.Attrs().OperState == netlink.OperUp {
				return nil
			}
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}
}
