package scenario

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/impair"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// HoldClientFIN holds the client's FIN in a netem qdisc on the client's own
// link for a while, so that the client's acknowledgement of the server's FIN
// overtakes it. Closes of both ends within that time are simultaneous by
// construction: no FIN has arrived when the other is sent. The time must be
// above 0 and at most impair.MaxHold.
func HoldClientFIN(delay time.Duration) Disturbance { return holdClientFIN{delay} }

type holdClientFIN struct{ delay time.Duration }

func (holdClientFIN) Available() error { return impair.NetemAvailable() }

func (holdClientFIN) Asks() []teardown.Overtaking {
	return []teardown.Overtaking{{From: teardown.Client, Fast: teardown.ACKOfFIN, Slow: teardown.FIN}}
}

func (h holdClientFIN) Install(pair topologies.Pair, client, server netip.AddrPort) (Installed, error) {
	hold, err := impair.HoldFIN(pair.Client, client, server, h.delay)
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
