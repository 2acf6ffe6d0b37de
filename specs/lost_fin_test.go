package specs

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A FIN that the network lost is sent again, by whoever sent it and by nobody
// else: there is nothing better to be done. The server closes first, so that
// neither FIN carries the only acknowledgement of the other.
var _ = Describe("A FIN that was lost is sent again", func() {
	for _, path := range closingPaths {
		for _, family := range families {
			for _, loser := range segment.Sides {
				Teardown(scenario.Scenario{
					Name:        "lost-fin/" + loser.String() + "/" + path.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      path.server,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, "drop "+loser.String()+" fin"),
					Good:        teardown.Retransmitted,
				}, RetransmitFIN(loser), Not(RetransmitFIN(loser.Peer())))
			}
		}
	}
})
