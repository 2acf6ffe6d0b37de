package scenario

import (
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/impair"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/topologies"
)

// HoldClientFINAtRouter holds the client's FIN as HoldClientFIN does, but in a
// router between client and server, on its end that faces the server. There the
// client's kernel knows nothing of the delay: if it is longer than the
// retransmission timer, the FIN is sent again although it is not lost, and the
// trial is inconclusive. The time is at most impair.MaxForwardedHold.
func HoldClientFINAtRouter(delay time.Duration) Disturbance {
	return netem{buildRouted, impair.HoldAvailable, func(toServer *lab.End, from, to netip.AddrPort) (*impair.Hold, error) {
		return impair.HoldForwardedFIN(toServer, from, to, delay)
	}}
}

// HoldClientFINAtBridge holds the client's FIN as HoldClientFIN does, but in a
// switch between client and server, on its port that faces the server.
func HoldClientFINAtBridge(delay time.Duration) Disturbance {
	return netem{buildBridged, impair.HoldAvailable, func(toServer *lab.End, from, to netip.AddrPort) (*impair.Hold, error) {
		return impair.HoldFIN(toServer, from, to, delay)
	}}
}

func buildRouted(l *lab.Lab, family topologies.Family) (topologies.Pair, *lab.End, error) {
	r, err := topologies.NewRouted(l, family)
	return r.Pair, r.ToServer, err
}

func buildBridged(l *lab.Lab, family topologies.Family) (topologies.Pair, *lab.End, error) {
	b, err := topologies.NewBridged(l, family)
	return b.Pair, b.ToServer, err
}
