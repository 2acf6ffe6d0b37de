package topologies

import (
	"net/netip"

	"github.com/finwait/finwait/harness/lab"
)

// The two subnets beside a router; the router has the last address that fits
// into an octet.
var (
	clientSubnet = map[Family]addressPair{
		IPv4:       {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.254/24")},
		IPv4Mapped: {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.254/24")},
		IPv6:       {netip.MustParsePrefix("2001:db8:1::1/64"), netip.MustParsePrefix("2001:db8:1::fe/64")},
	}
	serverSubnet = map[Family]addressPair{
		IPv4:       {netip.MustParsePrefix("198.51.100.254/24"), netip.MustParsePrefix("198.51.100.2/24")},
		IPv4Mapped: {netip.MustParsePrefix("198.51.100.254/24"), netip.MustParsePrefix("198.51.100.2/24")},
		IPv6:       {netip.MustParsePrefix("2001:db8:2::fe/64"), netip.MustParsePrefix("2001:db8:2::2/64")},
	}
)

// forwarding is the sysctl by which a host becomes a router.
var forwarding = map[Family]string{
	IPv4:       "net.ipv4.conf.all.forwarding",
	IPv4Mapped: "net.ipv4.conf.all.forwarding",
	IPv6:       "net.ipv6.conf.all.forwarding",
}

// Routed is a client and a server in subnets of their own, with a router in
// between.
type Routed struct {
	Pair
	// ToClient and ToServer are the router's ends. What a qdisc there keeps back
	// has left its sender for good: unlike in the sender's own qdisc, it does not
	// keep the sender from sending it again (net/ipv4/tcp_output.c,
	// skb_still_in_host_queue; net/ipv4/ip_input.c, ip_rcv_core).
	ToClient, ToServer *lab.End
}

// NewRouted builds a client, a router and a server in l, which takes them down.
// It needs what NewPair needs.
func NewRouted(l *lab.Lab, family Family) (Routed, error) {
	if _, err := family.addresses(); err != nil {
		return Routed{}, err
	}
	hosts, err := newRow(l, "router")
	if err != nil {
		return Routed{}, err
	}
	near, err := l.Link(
		plug(hosts.client, clientSubnet[family].client),
		lab.Plug{Host: hosts.between, Name: "client", Addresses: []netip.Prefix{clientSubnet[family].server}},
	)
	if err != nil {
		return Routed{}, err
	}
	far, err := l.Link(
		lab.Plug{Host: hosts.between, Name: "server", Addresses: []netip.Prefix{serverSubnet[family].client}},
		plug(hosts.server, serverSubnet[family].server),
	)
	if err != nil {
		return Routed{}, err
	}
	r := Routed{Pair: Pair{Client: near.Ends[0], Server: far.Ends[1]}, ToClient: near.Ends[1], ToServer: far.Ends[0]}
	if err := hosts.between.SetSysctl(forwarding[family], "1"); err != nil {
		return Routed{}, err
	}
	if err := r.Client.Route(serverSubnet[family].server, r.ToClient.Addresses[0].Addr()); err != nil {
		return Routed{}, err
	}
	if err := r.Server.Route(clientSubnet[family].client, r.ToServer.Addresses[0].Addr()); err != nil {
		return Routed{}, err
	}
	return r, nil
}
