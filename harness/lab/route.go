package lab

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// Route has a host send what is for a subnet to a gateway on the end's link.
func (e *End) Route(subnet netip.Prefix, gateway netip.Addr) error {
	if err := e.Host.Netlink.RouteAdd(&netlink.Route{
		LinkIndex: e.Index,
		Dst:       ipNet(subnet.Masked()),
		Gw:        gateway.AsSlice(),
	}); err != nil {
		return fmt.Errorf("route %v by %v on %s of %s: %w", subnet.Masked(), gateway, e.Name, e.Host.Name, err)
	}
	return nil
}

// RouteMetrics are what TCP connections over a route are like.
type RouteMetrics struct {
	// RTOMin is the least retransmission timeout, with which connections begin: at
	// least 1 ms, in whole milliseconds (ip-route(8), rto_min;
	// net/ipv4/tcp_output.c, tcp_rto_min, which heeds it only if it is locked). 0
	// leaves it to the kernel.
	RTOMin time.Duration
	// QuickACK has everything acknowledged at once, whoever holds the socket
	// (ip-route(8), quickack; net/ipv4/tcp_input.c, tcp_in_quickack_mode).
	QuickACK bool
}

// RouteWith adds a route of its own to a neighbour at the other end of the link.
func (e *End) RouteWith(to netip.Addr, m RouteMetrics) error {
	if m.RTOMin != 0 && m.RTOMin < time.Millisecond {
		return fmt.Errorf("route from %s to %v: rto_min %v: want at least 1ms", e.Host.Name, to, m.RTOMin)
	}
	route := &netlink.Route{
		LinkIndex:  e.Index,
		Scope:      netlink.SCOPE_LINK,
		Dst:        ipNet(netip.PrefixFrom(to, to.BitLen())),
		RtoMin:     int(m.RTOMin.Milliseconds()),
		RtoMinLock: m.RTOMin != 0,
	}
	if m.QuickACK {
		route.QuickACK = 1
	}
	if err := e.Host.Netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("route from %s to %v with %+v: %w", e.Host.Name, to, m, err)
	}
	return nil
}
