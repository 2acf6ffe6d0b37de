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

// A Hold is a netem qdisc on an end that keeps chosen segments back for a fixed
// time, while others overtake them (tc-netem(8)).
type Hold struct {
	end    *lab.End
	handle uint32 // of the qdisc
}

// MaxHold bounds the delay of a Hold on the sender's own end, or behind a bridge,
// which does not part a segment from its socket. A FIN that is still there when
// its retransmission timer fires is not sent again (net/ipv4/tcp_output.c,
// skb_still_in_host_queue), and that timer is at least 200 ms (TCP_RTO_MIN).
const MaxHold = 150 * time.Millisecond

// MaxForwardedHold bounds the delay of a Hold on a router's end, to what netem's
// units have room for, in round figures.
const MaxForwardedHold = time.Minute

// minHold is the unit that the netlink library hands delays on in.
const minHold = time.Microsecond

// The handles of the qdiscs, and the band of prio that is held.
var (
	root     = netlink.MakeHandle(1, 0)
	heldBand = netlink.MakeHandle(1, 2)
	holding  = netlink.MakeHandle(2, 0)
)

// HoldFIN holds every FIN of one direction of one connection, and nothing else:
//
//	root prio, all traffic in band 1, and a u32 filter that sends FINs to
//	band 2, which is a netem with the delay (tc-prio(8), tc-u32(8)).
//
// FINs that are sent again are held as long as the first. The delay is at least
// a microsecond and at most MaxHold; a fraction of a microsecond is dropped.
// HoldAvailable tells whether the running kernel can do it.
func HoldFIN(end *lab.End, from, to netip.AddrPort, delay time.Duration) (*Hold, error) {
	return holdFIN(end, from, to, delay, MaxHold)
}

// HoldForwardedFIN is HoldFIN on a router's end, where a FIN has left its sender for
// good (net/ipv4/ip_input.c, ip_rcv_core): one that is held for longer than its
// sender's timer is sent again meanwhile. The delay is at most MaxForwardedHold.
func HoldForwardedFIN(end *lab.End, from, to netip.AddrPort, delay time.Duration) (*Hold, error) {
	return holdFIN(end, from, to, delay, MaxForwardedHold)
}

func holdFIN(end *lab.End, from, to netip.AddrPort, delay, longest time.Duration) (*Hold, error) {
	fail := func(err error) (*Hold, error) {
		return nil, fmt.Errorf("hold FINs from %v to %v on %s of %s: %w", from, to, end.Name, end.Host.Name, err)
	}
	if err := checkDelay(delay, longest); err != nil {
		return fail(err)
	}
	if err := installHold(end.Host, end.Index, from, to, delay); err != nil {
		return fail(err)
	}
	return &Hold{end, holding}, nil
}

func checkDelay(delay, longest time.Duration) error {
	if delay < minHold || delay > longest {
		return fmt.Errorf("the time %v must be at least %v and at most %v", delay, minHold, longest)
	}
	return nil
}

func installHold(host *lab.Host, link int, from, to netip.AddrPort, delay time.Duration) error {
	prio := netlink.NewPrio(netlink.QdiscAttrs{LinkIndex: link, Handle: root, Parent: netlink.HANDLE_ROOT})
	prio.PriorityMap = [netlink.PRIORITY_MAP_LEN]uint8{} // every priority in the first band
	if err := host.Netlink.QdiscAdd(prio); err != nil {
		return lacking("sch_prio", err)
	}
	if err := addNetem(host, netlink.QdiscAttrs{LinkIndex: link, Handle: holding, Parent: heldBand},
		netlink.NetemQdiscAttrs{Latency: uint32(delay.Microseconds())}); err != nil {
		return err
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

// HoldAllBut holds everything that an end sends but each gap-th packet, which
// goes at once and overtakes what is held: netem's "delay D reorder 100% gap N"
// (net/sched/sch_netem.c, netem_enqueue). Packets are counted from the call on,
// whatever they carry, so the end has to be idle. The gap is at least 2; the
// delay is as HoldFIN's. ReorderAvailable tells whether the running kernel can
// do it.
func HoldAllBut(end *lab.End, gap uint32, delay time.Duration) (*Hold, error) {
	fail := func(err error) (*Hold, error) {
		return nil, fmt.Errorf("hold all but each %d. packet on %s of %s: %w", gap, end.Name, end.Host.Name, err)
	}
	if gap < 2 {
		return fail(errors.New("of less than two packets none can be held"))
	}
	if err := checkDelay(delay, MaxHold); err != nil {
		return fail(err)
	}
	if err := installReorder(end.Host, end.Index, gap, delay); err != nil {
		return fail(err)
	}
	return &Hold{end, root}, nil
}

func installReorder(host *lab.Host, link int, gap uint32, delay time.Duration) error {
	return addNetem(host, netlink.QdiscAttrs{LinkIndex: link, Handle: root, Parent: netlink.HANDLE_ROOT},
		netlink.NetemQdiscAttrs{Latency: uint32(delay.Microseconds()), ReorderProb: 100, Gap: gap})
}

func addNetem(host *lab.Host, where netlink.QdiscAttrs, what netlink.NetemQdiscAttrs) error {
	if err := host.Netlink.QdiscAdd(netlink.NewNetem(where, what)); err != nil {
		return lacking("sch_netem", err)
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
	// Held is how many packets the qdisc has taken, those included that have left
	// it again, and those of HoldAllBut that went at once.
	Held int
	// Waiting is how many it keeps back at the moment.
	Waiting int
}

// Counts asks the netem qdisc.
func (h *Hold) Counts() (Counts, error) {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: h.end.Index}}
	qdiscs, err := lab.Dump(func() ([]netlink.Qdisc, error) { return h.end.Host.Netlink.QdiscList(link) })
	if err != nil {
		return Counts{}, fmt.Errorf("ask the qdiscs of %s what they held: %w", h.end.Host.Name, err)
	}
	for _, q := range qdiscs {
		if q.Attrs().Handle != h.handle {
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
