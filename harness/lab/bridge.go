package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrNoBridge is returned for a bridge on a kernel that has none.
var ErrNoBridge = errors.New("the kernel has no Ethernet bridge (CONFIG_BRIDGE, module bridge)")

// Bridge joins ends of links in a host by a bridge, which passes frames from one
// to the others from the moment it returns: it has no spanning tree to learn
// first. The bridge sends nothing by itself. The ports have to be the first ends
// of their links: of those Link knows that they have a carrier, and a bridge
// leaves a port without one for later (net/bridge/br_if.c, br_add_if).
func (h *Host) Bridge(name string, ports ...*End) error {
	fail := func(err error) error { return fmt.Errorf("bridge %s of %s: %w", name, h.Name, err) }
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	// With snooping, the bridge joins the groups of routers, and reports that
	// (net/bridge/br_multicast.c, br_multicast_join_snoopers).
	snoop := false
	err := h.Netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snoop})
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = ErrNoBridge
	}
	if err != nil {
		return fail(err)
	}
	bridge := &End{Host: h, Name: name}
	if err := bridge.up(); err != nil {
		return fail(err)
	}
	for _, port := range ports {
		if err := h.Netlink.LinkSetMasterByIndex(port.link(), bridge.Index); err != nil {
			return fail(fmt.Errorf("add the port %s: %w", port.Name, err))
		}
	}
	return nil
}
