// Package impair disturbs, with the kernel's own traffic control, the order in
// which segments leave a host: netem and the classifiers that aim it at one
// kind of segment.
package impair

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// A Hold keeps every FIN of one direction of one connection back for a fixed
// time in the sender's own qdisc, while everything else passes at once:
//
//	root prio, all traffic in band 1, and a u32 filter that sends FINs to
//	band 2, which is a netem with the delay (tc-prio(8), tc-u32(8), tc-netem(8)).
//
// FINs that are sent again are held as long as the first.
type Hold struct {
	end *lab.End
}

// MaxHold bounds the delay of a Hold. A FIN that is still in its sender's own
// qdisc when its retransmission timer fires is not sent again
// (net/ipv4/tcp_output.c, skb_still_in_host_queue), and that timer is at least
// 200 ms (TCP_RTO_MIN).
const MaxHold = 150 * time.Millisecond

// minHold is the unit that the netlink library hands delays on in.
const minHold = time.Microsecond

// The handles of the qdiscs, and the band that holds.
var (
	root     = netlink.MakeHandle(1, 0)
	heldBand = netlink.MakeHandle(1, 2)
	holding  = netlink.MakeHandle(2, 0)
)

// HoldFIN installs a Hold for what end sends from one address to another. The
// delay is at least a microsecond and at most MaxHold; a fraction of a
// microsecond is dropped. NetemAvailable tells whether the running kernel can
// do it.
func HoldFIN(end *lab.End, from, to netip.AddrPort, delay time.Duration) (*Hold, error) {
	if delay < minHold || delay > MaxHold {
		return nil, fmt.Errorf("hold FINs from %v to %v for %v: the time must be at least %v and at most %v", from, to, delay, minHold, MaxHold)
	}
	if err := install(end.Host, end.Index, from, to, delay); err != nil {
		return nil, fmt.Errorf("hold FINs from %v to %v on %s of %s: %w", from, to, end.Name, end.Host.Name, err)
	}
	return &Hold{end: end}, nil
}

func install(host *lab.Host, link int, from, to netip.AddrPort, delay time.Duration) error {
	prio := netlink.NewPrio(netlink.QdiscAttrs{LinkIndex: link, Handle: root, Parent: netlink.HANDLE_ROOT})
	prio.PriorityMap = [netlink.PRIORITY_MAP_LEN]uint8{} // every priority in the first band
	if err := host.Netlink.QdiscAdd(prio); err != nil {
		return lacking("sch_prio", err)
	}
	netem := netlink.NewNetem(
		netlink.QdiscAttrs{LinkIndex: link, Handle: holding, Parent: heldBand},
		netlink.NetemQdiscAttrs{Latency: uint32(delay.Microseconds())},
	)
	if err := host.Netlink.QdiscAdd(netem); err != nil {
		return lacking("sch_netem", err)
	}
	filter := &netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link, Parent: root, Priority: 1, Protocol: protocol(from.Addr())},
		ClassId:     heldBand,
		Sel:         matchFIN(from, to),
	}
	if err := host.Netlink.FilterAdd(filter); err != nil {
		return lacking("cls_u32", err)
	}
	return nil
}

// lacking turns the kernel's answer to a kind of qdisc or classifier that it
// does not know into what that means.
func lacking(module string, err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return &kernel.MissingCapability{Name: module, Err: err}
	}
	return fmt.Errorf("add %s: %w", module, err)
}

// Counts is what a Hold has done so far.
type Counts struct {
	// Held is how many FINs were taken, those that have left again included.
	Held int
	// Waiting is how many it keeps back at the moment.
	Waiting int
}

// Counts asks the netem qdisc, which nothing but held FINs enters.
func (h *Hold) Counts() (Counts, error) {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: h.end.Index}}
	qdiscs, err := lab.Dump(func() ([]netlink.Qdisc, error) { return h.end.Host.Netlink.QdiscList(link) })
	if err != nil {
		return Counts{}, fmt.Errorf("ask the qdiscs of %s what they held: %w", h.end.Host.Name, err)
	}
	for _, q := range qdiscs {
		if q.Attrs().Handle != holding {
			continue
		}
		s := q.Attrs().Statistics
		if s == nil || s.Basic == nil || s.Queue == nil {
			return Counts{}, fmt.Errorf("the kernel tells no statistics of the netem qdisc on %s of %s", h.end.Name, h.end.Host.Name)
		}
		// What netem counts as sent has left it; the rest waits in it.
		waiting := int(s.Queue.Qlen)
		return Counts{Held: int(s.Basic.Packets) + waiting, Waiting: waiting}, nil
	}
	return Counts{}, fmt.Errorf("the netem qdisc on %s of %s is gone", h.end.Name, h.end.Host.Name)
}
