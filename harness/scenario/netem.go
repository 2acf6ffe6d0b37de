package scenario

import (
	"errors"
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/impair"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// HoldClientFIN holds the client's FIN in a netem qdisc on the client's own
// link for a while, so that the client's acknowledgement of the server's FIN
// overtakes it. Closes of both ends within that time are simultaneous by
// construction: no FIN has arrived when the other is sent. The time must be
// at least a microsecond and at most impair.MaxHold.
func HoldClientFIN(delay time.Duration) Disturbance {
	return netem{buildPair, impair.HoldAvailable, func(client *lab.End, from, to netip.AddrPort) (*impair.Hold, error) {
		return impair.HoldFIN(client, from, to, delay)
	}}
}

// ReorderClientFIN does the same by netem's own reordering: of what the client
// sends, the first packet, its FIN, is held, and the second, its
// acknowledgement of the server's FIN, goes at once.
func ReorderClientFIN(delay time.Duration) Disturbance {
	return netem{buildPair, impair.ReorderAvailable, func(client *lab.End, _, _ netip.AddrPort) (*impair.Hold, error) {
		return impair.HoldAllBut(client, 2, delay)
	}}
}

// netem is a disturbance by a qdisc on one end of a lab.
type netem struct {
	build     func(*lab.Lab, topologies.Family) (ends topologies.Pair, at *lab.End, err error)
	available func() error
	install   func(at *lab.End, from, to netip.AddrPort) (*impair.Hold, error)
}

// buildPair has the qdisc on the client's own end.
func buildPair(l *lab.Lab, family topologies.Family) (topologies.Pair, *lab.End, error) {
	pair, err := topologies.NewPair(l, family)
	return pair, pair.Client, err
}

func (n netem) Available() error { return n.available() }

func (netem) Asks() []teardown.Overtaking {
	return []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
}

func (n netem) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	ends, at, err := n.build(l, family)
	return netemStage{n, ends, at}, err
}

type netemStage struct {
	netem
	ends topologies.Pair
	at   *lab.End
}

func (s netemStage) Ends() topologies.Pair { return s.ends }

func (netemStage) Watch(func(error)) {} // a qdisc does not break

func (s netemStage) Install(client, server netip.AddrPort) (Installed, error) {
	hold, err := s.install(s.at, client, server)
	if err != nil {
		return nil, err
	}
	return held{hold}, nil
}

type held struct{ *impair.Hold }

func (h held) Idle() (bool, error) {
	counts, err := h.Counts()
	return counts.Waiting == 0, err
}

func (h held) Fired() error {
	counts, err := h.Counts()
	if err == nil && counts.Held == 0 {
		err = errors.New("netem never held the client's FIN")
	}
	return err
}

func (held) KeptUp(time.Duration) error { return nil }
