package scenario

import (
	"fmt"
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
func HoldClientFIN(delay time.Duration) Disturbance { return holdClientFIN{delay} }

type holdClientFIN struct{ delay time.Duration }

func (holdClientFIN) Available() error { return impair.NetemAvailable() }

func (holdClientFIN) Asks() []teardown.Overtaking {
	return []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
}

func (h holdClientFIN) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	pair, err := topologies.NewPair(l, family)
	return netemStage{pair, h.delay}, err
}

type netemStage struct {
	pair  topologies.Pair
	delay time.Duration
}

func (s netemStage) Ends() topologies.Pair { return s.pair }

func (s netemStage) Install(client, server netip.AddrPort) (Installed, error) {
	hold, err := impair.HoldFIN(s.pair.Client, client, server, s.delay)
	if err != nil {
		return nil, err
	}
	return heldFIN{hold}, nil
}

type heldFIN struct{ hold *impair.Hold }

func (h heldFIN) Idle() (bool, error) {
	counts, err := h.hold.Counts()
	return counts.Waiting == 0, err
}

func (h heldFIN) Fired() error {
	counts, err := h.hold.Counts()
	if err == nil && counts.Held == 0 {
		err = fmt.Errorf("netem never held the client's FIN")
	}
	return err
}
