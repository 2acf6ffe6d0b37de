package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// An end whose peer vanishes in the middle of a teardown has a FIN that is never
// acknowledged, in whichever state it got to, and gives up as it does in FIN_WAIT1.
// How a FIN that never arrived is given up, the specs named unacknowledged-fin say.
var _ = Describe("An end whose peer vanishes", func() {
	for _, end := range []struct {
		name  string
		as    scenario.Behaviour
		limit time.Duration
	}{
		{"orphan", closed.Behaviour, modelTimeout(8)},
		{"held", shutdown.Behaviour, modelTimeout(15)},
	} {
		// The client has got the server's FIN, and nothing since; the server, nothing at
		// all, and its socket is an orphan in FIN_WAIT1.
		Teardown(scenario.Scenario{
			Name:        "long-timers/peer-vanishes/closing/" + end.name + "/ipv4",
			Family:      topologies.IPv4,
			Client:      end.as,
			Server:      closed.Behaviour,
			Disturbance: scenario.Wire(nil, "drop every client any", "drop every server any after server fin"),
			UntilGone:   segment.Sides[:],
			Good:        timedOut,
		},
			PassThrough(segment.Client, "ESTABLISHED", "FIN_WAIT1", "CLOSING", "CLOSE"),
			BackOff(segment.Client, "retransmit"), GiveUpAfter(segment.Client, "retransmit", end.limit),
			PassThrough(segment.Server, "ESTABLISHED", "FIN_WAIT1", "CLOSE"),
			BackOff(segment.Server, "retransmit"), GiveUpAfter(segment.Server, "retransmit", modelTimeout(8)))

		// The server's FIN has been acknowledged, and nothing arrives any more: the
		// client is left in LAST_ACK, and the server in FIN_WAIT2.
		Teardown(scenario.Scenario{
			Name:        "long-timers/peer-vanishes/last-ack/" + end.name + "/ipv4",
			Family:      topologies.IPv4,
			Client:      end.as,
			Server:      closed.Behaviour,
			ServerFirst: true,
			Disturbance: vanished(segment.Server, "client ack-of-fin"),
			UntilGone:   segment.Sides[:],
			Good:        timedOut,
		},
			PassThrough(segment.Client, "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"),
			BackOff(segment.Client, "retransmit"), GiveUpAfter(segment.Client, "retransmit", end.limit),
			PassThrough(segment.Server, "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE"),
			StayIn(segment.Server, "FIN_WAIT2", time.Minute))
	}
})
