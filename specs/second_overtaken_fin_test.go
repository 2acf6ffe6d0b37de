package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/topologies"
)

// The FIN that its ACK overtook comes twice, as a network may have it. A kernel that
// refuses the first and says so in a challenge ACK refuses the second as well, but says
// nothing: within half a second a socket sends no other (tcp_invalid_ratelimit;
// net/ipv4/tcp_input.c, tcp_send_challenge_ack and __tcp_oow_rate_limited). The second
// is made here, as the client made the first: its numbers are 4416 and 753.
var _ = Describe("A FIN that is overtaken twice is accepted", func() {
	for _, server := range []closingPath{shutdown, finTimeout(61)} {
		Teardown(scenario.Scenario{
			Name:   "long-timers/second-overtaken-fin/server-" + server.name + "/ipv4",
			Family: topologies.IPv4,
			Server: server.Behaviour,
			Disturbance: scenario.Wire(lateFIN,
				"hold client fin until client ack-of-fin", "inject client F. 4416:4416(0) ack 753 win 501 after client ack-of-fin"),
		})
	}
})
