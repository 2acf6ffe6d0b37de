package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// Both ends close at the same time and neither FIN overtakes anything: each
// arrives while the other is under way, and both ends go through CLOSING (RFC
// 9293 section 3.6, figure 13). FIN_WAIT2 is never entered, so that the paths
// that differ only in how long it may last are left out.
var _ = Describe("FINs that cross are accepted", func() {
	for _, path := range append(shortPaths, lingering) {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "crossing-fins/server-" + path.name + "/" + string(family) + "/wire",
				Family:      family,
				Server:      path.Behaviour,
				Disturbance: scenario.Wire(nil, "hold client fin until server fin"),
			})
		}
	}
})
