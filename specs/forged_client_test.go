package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// The same case with a client that no kernel answers for. It is handed the
// server's FIN, sends the ACK of it first and then a FIN that acknowledges less:
// no clock, qdisc or wire takes part in the order. A forged client does not send
// its FIN again, so that where the server drops it the trial ends there, with the
// server's challenge ACK.
var _ = Describe("A forged FIN that comes after its own ACK is accepted", func() {
	for _, server := range []closingPath{shutdown, closed, finTimeout(61)} {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "overtaken-fin/server-" + server.name + "/client-forged/" + string(family),
				Family:      family,
				Server:      server.Behaviour,
				Disturbance: scenario.ForgeClient(),
			})
		}
	}
})
