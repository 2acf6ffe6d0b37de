// Package topologies holds ready-made labs: a client, a server, and what is
// between them.
package topologies

import (
	"fmt"
	"net/netip"

	"github.com/finwait/finwait/harness/lab"
)

// A Family is the version of IP that an exchange runs over.
type Family string

// The families that every topology has.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
	// IPv4Mapped is IPv4 on the link, between sockets of IPv6 (RFC 4291 section
	// 2.5.5.2).
	IPv4Mapped Family = "ipv4-mapped"
)

// Socket is the address by which a socket of the family calls an address of the
// link.
func (f Family) Socket(link netip.Addr) netip.Addr {
	if f == IPv4Mapped {
		return netip.AddrFrom16(link.As16())
	}
	return link
}

// The addresses are those set aside for documentation (RFC 5737, RFC 3849): no
// network routes them.
var addresses = map[Family]addressPair{
	IPv4:       {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")},
	IPv4Mapped: {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")},
	IPv6:       {netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("2001:db8::2/64")},
}

type addressPair struct{ client, server netip.Prefix }

func (f Family) addresses() (addressPair, error) {
	pair, ok := addresses[f]
	if !ok {
		return pair, fmt.Errorf("family %q: want %q, %q or %q", f, IPv4, IPv6, IPv4Mapped)
	}
	return pair, nil
}

// ServerAddress is the address of the server in every topology.
func ServerAddress(f Family) (netip.Addr, error) {
	pair, err := f.addresses()
	return pair.server.Addr(), err
}

// A Pair is a client and a server on the two ends of a veth pair.
type Pair struct {
	Client, Server *lab.End
}

// NewPair builds a pair in l, which takes it down. Only the family named is
// set up. It needs CAP_SYS_ADMIN and CAP_NET_ADMIN; on a kernel without IPv6,
// asking for it returns an error that wraps lab.ErrNoIPv6.
func NewPair(l *lab.Lab, family Family) (Pair, error) {
	addr, err := family.addresses()
	if err != nil {
		return Pair{}, err
	}
	return newPair(l, []netip.Prefix{addr.client}, addr.server)
}

func newPair(l *lab.Lab, clientAddresses []netip.Prefix, serverAddress netip.Prefix) (Pair, error) {
	client, err := l.Host("client")
	if err != nil {
		return Pair{}, err
	}
	server, err := l.Host("server")
	if err != nil {
		return Pair{}, err
	}
	link, err := l.Link(plug(client, clientAddresses...), plug(server, serverAddress))
	if err != nil {
		return Pair{}, err
	}
	return Pair{Client: link.Ends[0], Server: link.Ends[1]}, nil
}

func plug(host *lab.Host, addresses ...netip.Prefix) lab.Plug {
	return lab.Plug{Host: host, Name: "eth0", Addresses: addresses}
}
