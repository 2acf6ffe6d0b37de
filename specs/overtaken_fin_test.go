package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// Both ends close at the same time, and on the way to the server the client's
// ACK of the server's FIN overtakes the client's own FIN. The FIN acknowledges
// less than the server has been told already, but it is in the window and in
// sequence: it has to be accepted (RFC 9293 section 3.10.7.4, fifth check: an
// old acknowledgement can be ignored). Linux dropped it in FIN_WAIT2 until "net:
// tcp: accept old ack during closing" (795a7dfbc3d9).
var _ = Describe("A FIN that its own ACK overtook is accepted", func() {
	for _, path := range closingPaths {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "overtaken-fin/" + path.name + "/" + string(family),
				Family:      family,
				Server:      path.server,
				Disturbance: scenario.HoldClientFIN(60 * time.Millisecond),
			})
		}
	}
})
