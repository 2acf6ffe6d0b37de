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

// Link connects two hosts. The ends are introduced to each other and resolve no
// other neighbour (IFF_NOARP); offloads are off; when Link returns, what is sent
// from any address of either end arrives at the other.
func (l *Lab) Link(a, b Plug) (*Link, error) {
	link := &Link{Ends: [2]*End{newEnd(a, l.newMAC()), newEnd(b, l.newMAC())}}
	if err := link.build(); err != nil {
		return nil, fmt.Errorf("link %s:%s to %s:%s: %w", a.Host.Name, a.Name, b.Host.Name, b.Name, err)
	}
	return link, nil
}

func newEnd(p Plug, mac net.HardwareAddr) *End {
	return &End{Host: p.Host, Name: p.Name, MAC: mac, Addresses: p.Addresses}
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
	for _, end := range l.Ends {
		if err := end.address(); err != nil {
			return fmt.Errorf("%s on %s: %w", end.Name, end.Host.Name, err)
		}
	}
	return Introduce(near, far)
}

// Introduce tells two ends each other's hardware addresses, which they neither
// ask for nor tell by themselves. They need not be ends of one link, if what is
// between them passes frames on as they are.
func Introduce(a, b *End) error {
	return errors.Join(a.learn(b), b.learn(a))
}

func (e *End) learn(peer *End) error {
	for _, prefix := range peer.Addresses {
		if err := e.Host.Netlink.NeighSet(&netlink.Neigh{
			LinkIndex:    e.Index,
			State:        netlink.NUD_PERMANENT,
			IP:           prefix.Addr().AsSlice(),
			HardwareAddr: peer.MAC,
		}); err != nil {
			return fmt.Errorf("introduce %v to %s of %s: %w", prefix.Addr(), e.Name, e.Host.Name, err)
		}
	}
	return nil
}

// up makes the end quiet and brings it up. It uses ioctls (netdevice(7)), which
// take a fraction of what netlink's requests do.
func (e *End) up() error {
	return e.Host.Do(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open a socket for ioctls: %w", err)
		}
		defer unix.Close(fd)
		request, err := unix.NewIfreq(e.Name)
		if err != nil {
			return fmt.Errorf("the name has to have 1 to 15 characters: %w", err)
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
			return fmt.Errorf("ask for the index: %w", err)
		}
		e.Index = int(request.Uint32())
		if err := e.turnOffloadsOff(fd); err != nil {
			return err
		}
		// IPv6 joins groups by itself and reports them (MLD), at some time
		// later: its addresses' solicited-node groups unless IFF_NOARP is set,
		// on a router the routers' groups if IFF_MULTICAST is (net/ipv6/addrconf.c,
		// addrconf_join_solict and dev_forward_change). IFF_NOARP also stops
		// duplicate address detection (addrconf_dad_begin).
		request.SetUint16(unix.IFF_UP | unix.IFF_NOARP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
		return nil
	})
}

// link is the end as the netlink library wants it.
func (e *End) link() netlink.Link {
	return &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: e.Index}}
}

// address gives the end its addresses.
func (e *End) address() error {
	link := e.link()
	for _, prefix := range e.Addresses {
		add := e.addIPv4
		if prefix.Addr().Is6() {
			add = e.addIPv6
		}
		if err := add(link, prefix); err != nil {
			return fmt.Errorf("add address %v: %w", prefix, err)
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
