package specs

import (
	"cmp"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// A FIN that the network lost is sent again, by whoever sent it and by nobody
// else: there is nothing better to be done. The server closes first, so that
// neither FIN carries the only acknowledgement of the other.
var _ = Describe("A FIN that was lost is sent again", func() {
	for _, path := range closingPaths {
		for _, family := range families {
			for _, loser := range segment.Sides {
				Teardown(scenario.Scenario{
					Name:        "lost-fin/" + loser.String() + "/server-" + path.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      path.Behaviour,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, "drop "+loser.String()+" fin"),
					Good:        teardown.Retransmitted,
				}, RetransmitFIN(loser), Not(RetransmitFIN(loser.Peer())), WaitForRTO(loser))
			}
		}
	}

	// What a lost FIN costs is no less than one RTO, whatever that is made of, and
	// whichever timer it is that fires. How much more, a busy machine decides.
	for _, v := range slices.Concat(mechanisms, durations) {
		s := scenario.Scenario{
			Name:        "lost-fin/client/server-shutdown/ipv4/wire/" + v.name,
			Family:      topologies.IPv4,
			ServerFirst: true,
			Disturbance: scenario.Wire(nil, "drop client fin"),
			Good:        teardown.Retransmitted,
		}
		v.apply(&s)
		Teardown(s, append(v.shows,
			RetransmitFIN(segment.Client), Not(RetransmitFIN(segment.Server)), WaitForRTO(segment.Client),
			RetransmitBy(segment.Client, cmp.Or(v.timer, teardown.TLP)))...)
	}
})
