package lab

import (
	"fmt"
	"net/netip"

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
