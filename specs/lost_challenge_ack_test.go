package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// A kernel that refuses an overtaken FIN says so in a challenge ACK, which helps
// nobody: that it is lost changes neither the outcome nor the cost. A kernel that
// accepts the FIN sends none.
var _ = Describe("A challenge ACK can be lost", func() {
	for _, server := range []closingPath{shutdown, finTimeout(61)} {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:   "lost-challenge-ack/server-" + server.name + "/" + string(family) + "/wire",
				Family: family,
				Server: server.Behaviour,
				Disturbance: scenario.Wire(lateFIN,
					"hold client fin until client ack-of-fin", "maybe drop server challenge-ack"),
			})
		}
	}
})
