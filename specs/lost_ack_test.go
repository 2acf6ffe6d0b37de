package specs

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The acknowledgement of a FIN is lost, so that whoever sent the FIN sends it
// again; whoever had accepted it acknowledges it once more, also from TIME_WAIT
// (RFC 9293 section 3.10.7.4, eighth check).
var _ = Describe("A FIN whose acknowledgement was lost is sent again", func() {
	for _, server := range shortPaths {
		for _, family := range families {
			for _, side := range segment.Sides {
				Teardown(scenario.Scenario{
					Name:        "lost-ack-of-fin/" + side.String() + "/server-" + server.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      server.Behaviour,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, "drop "+side.String()+" ack-of-fin"),
					Good:        teardown.Retransmitted,
				}, RetransmitFIN(side.Peer()), Not(RetransmitFIN(side)))
			}
		}
	}
})
