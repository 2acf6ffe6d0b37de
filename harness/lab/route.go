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

// RouteWithRTOMin adds a route of its own to a neighbour at the other end of the
// link. TCP connections over it begin with, and do not go below, the given least
// retransmission timeout: at least 1 ms, in whole milliseconds (ip-route(8),
// rto_min; net/ipv4/tcp_output.c, tcp_rto_min, which heeds it only if it is
// locked).
func (e *End) RouteWithRTOMin(to netip.Addr, rtoMin time.Duration) error {
	if rtoMin < time.Millisecond {
		return fmt.Errorf("route from %s to %v: rto_min %v: want at least 1ms", e.Host.Name, to, rtoMin)
	}
	if err := e.Host.Netlink.RouteAdd(&netlink.Route{
		LinkIndex:  e.Index,
		Scope:      netlink.SCOPE_LINK,
		Dst:        ipNet(netip.PrefixFrom(to, to.BitLen())),
		RtoMin:     int(rtoMin.Milliseconds()),
		RtoMinLock: true,
	}); err != nil {
		return fmt.Errorf("route from %s to %v with rto_min %v: %w", e.Host.Name, to, rtoMin, err)
	}
	return nil
}
