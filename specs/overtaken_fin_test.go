package specs

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// lateFIN is what is to be seen: the client's ACK of the server's FIN arrives
// before the FIN that the client had sent earlier.
var lateFIN = []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}

// byWire brings it about for certain and on any kernel.
var byWire = scenario.Wire(lateFIN, "hold client fin until client ack-of-fin")

// An overtaking is a way to bring it about.
type overtaking struct {
	suffix      string
	disturbance scenario.Disturbance
}

// overtakings are by a delay of FINs alone and by netem's reordering, as a network
// would, and by the wire.
var overtakings = []overtaking{
	{"", scenario.HoldClientFIN(60 * time.Millisecond)},
	{"/reorder", scenario.ReorderClientFIN(60 * time.Millisecond)},
	{"/wire", byWire},
}

// overtakingsBetween are in what stands between client and server.
var overtakingsBetween = []overtaking{
	{"/routed", scenario.HoldClientFINAtRouter(60 * time.Millisecond)},
	{"/bridged", scenario.HoldClientFINAtBridge(60 * time.Millisecond)},
}

// Both ends close at the same time, and on the way to the server the client's
// ACK of the server's FIN overtakes the client's own FIN. The FIN acknowledges
// less than the server has been told already, but it is in the window and in
// sequence: it has to be accepted (RFC 9293 section 3.10.7.4, fifth check: an
// old acknowledgement can be ignored). Linux dropped it in FIN_WAIT2 until "net:
// tcp: accept old ack during closing" (795a7dfbc3d9).
var _ = Describe("A FIN that its own ACK overtook is accepted", func() {
	for _, server := range closingPaths {
		for _, family := range families {
			for _, way := range overtakings {
				Teardown(scenario.Scenario{
					Name:        "overtaken-fin/server-" + server.name + "/" + string(family) + way.suffix,
					Family:      family,
					Server:      server.Behaviour,
					Disturbance: way.disturbance,
				})
			}
		}
	}

	for _, server := range []closingPath{shutdown, closed} {
		played := scenario.Scenario{
			Name:        "overtaken-fin/server-" + server.name,
			Family:      topologies.IPv4,
			Server:      server.Behaviour,
			Disturbance: byWire,
		}

		Context("wherever it was overtaken", func() {
			for _, family := range families {
				for _, way := range overtakingsBetween {
					s := played
					s.Name += "/" + string(family) + way.suffix
					s.Family, s.Disturbance = family, way.disturbance
					Teardown(s)
				}
			}
		})

		Context("however the client closed", func() {
			for _, client := range clientPaths {
				for _, family := range families {
					s := played
					s.Name += "/client-" + client.name + "/" + string(family) + "/wire"
					s.Family, s.Client = family, client.Behaviour
					Teardown(s)
				}
			}
		})

		Context("whatever the connection runs over", func() {
			for _, v := range slices.Concat(mechanisms, durations, []variant{mapped}) {
				s := played
				s.Name += "/ipv4/wire/" + v.name
				v.apply(&s)
				Teardown(s, v.shows...)
			}
		})
	}
})
