package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// The server's connection is in FIN_WAIT2 when the client's FIN comes, as it is
// when that FIN was overtaken, but here nothing was: the FIN was sent after the
// ACK, and acknowledges as much.
var _ = Describe("A FIN that comes in order is accepted", func() {
	for _, path := range closingPaths {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "in-order/server-" + path.name + "/" + string(family),
				Family:      family,
				Server:      path.Behaviour,
				ServerFirst: true,
			})
		}
	}
})
