package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
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

// Link connects two hosts. The ends know each other's hardware addresses, so
// neither ARP nor neighbour discovery is ever sent; offloads are off; when Link
// returns, what is sent from any address of either end arrives at the other.
func (l *Lab) Link(a, b Plug) (*Link, error) {
	link := &Link{Ends: [2]*End{newEnd(a, 1), newEnd(b, 2)}}
	if err := link.build(); err != nil {
		return nil, fmt.Errorf("link %s:%s to %s:%s: %w", a.Host.Name, a.Name, b.Host.Name, b.Name, err)
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

func (l *Link) build() error {
	near, far := l.Ends[0], l.Ends[1]
	carrier, err := near.Host.subscribe(unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	defer carrier.close()

	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = near.Name, near.MAC
	if err := near.Host.Netlink.LinkAdd(&netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         far.Name,
		PeerHardwareAddr: far.MAC,
		PeerNamespace:    netlink.NsFd(far.Host.FD()),
	}); err != nil {
		return fmt.Errorf("create the veth pair: %w", err)
	}
	for _, end := range l.Ends {
		if err := end.up(); err != nil {
			return fmt.Errorf("%s on %s: %w", end.Name, end.Host.Name, err)
		}
	}
	if err := carrier.awaitLinkUp(near.Index); err != nil {
		return fmt.Errorf("%s on %s: %w", near.Name, near.Host.Name, err)
	}
	for i, end := range l.Ends {
		if err := end.address(l.Ends[1-i]); err != nil {
			return fmt.Errorf("%s on %s: %w", end.Name, end.Host.Name, err)
		}
	}
	return nil
}

// up makes the end quiet and brings it up.
func (e *End) up() error {
	link, err := e.Host.Netlink.LinkByName(e.Name)
	if err != nil {
		return err
	}
	e.Index = link.Attrs().Index
	if err := e.Host.Do(e.turnOffloadsOff); err != nil {
		return err
	}
	// Without IFF_MULTICAST the kernel sends no MLD reports for the groups
	// that IPv6 joins by itself.
	if err := e.Host.Netlink.LinkSetMulticastOff(link); err != nil {
		return fmt.Errorf("turn multicast off: %w", err)
	}
	if err := e.Host.Netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// address gives the end its addresses and the way to its peer's.
func (e *End) address(peer *End) error {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: e.Index}}
	for _, prefix := range e.Addresses {
		add := e.addIPv4
		if prefix.Addr().Is6() {
			add = e.addIPv6
		}
		if err := add(link, prefix); err != nil {
			return fmt.Errorf("add address %v: %w", prefix, err)
		}
	}
	for _, prefix := range peer.Addresses {
		if err := e.Host.Netlink.NeighSet(&netlink.Neigh{
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

func (e *End) addIPv4(link netlink.Link, prefix netip.Prefix) error {
	return e.Host.Netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(prefix)})
}

// addIPv6 waits until the address can be used: even without duplicate address
// detection its local route is made by a work item (net/ipv6/addrconf.c,
// addrconf_dad_work), which sends its event afterwards.
func (e *End) addIPv6(link netlink.Link, prefix netip.Prefix) error {
	added, err := e.Host.subscribe(unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return err
	}
	defer added.close()
	err = e.Host.Netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(prefix), Flags: unix.IFA_F_NODAD})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return ErrNoIPv6
	}
	if err != nil {
		return err
	}
	return added.awaitAddress(e.Index, prefix.Addr())
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}
}
