package specs

import (
	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The server has shut down its sending side and is in FIN_WAIT2 when a RST comes
// that the client did not send. Only at exactly the sequence number that the server
// expects, it ends the connection, so that the client's FIN finds none, and is
// answered by a RST. Anywhere else in the window it may be a blind attacker's, and
// is answered by a challenge ACK (RFC 5961 section 3.2; net/ipv4/tcp_input.c,
// tcp_validate_incoming). The client's numbers are 4416 from its request on.
var _ = Describe("A RST from nowhere in FIN_WAIT2", func() {
	for _, family := range families {
		played := scenario.Scenario{
			Name:        "injected-reset/server-shutdown/" + string(family) + "/wire",
			Family:      family,
			Server:      shutdown.Behaviour,
			ServerFirst: true,
		}

		Context("ends the connection where it is in sequence", func() {
			s := played
			s.Name += "/in-sequence"
			s.Disturbance = scenario.Wire(nil, "inject client R 4416:4416(0) after client ack-of-fin")
			s.Good = teardown.Reset
			Teardown(s, SendChallengeACKs(segment.Server, 0), ResetBy(segment.Server), LeaveNothing())
		})

		Context("changes nothing elsewhere in the window", func() {
			s := played
			s.Name += "/in-window"
			s.Disturbance = scenario.Wire(nil, "inject client R 4516:4516(0) after client ack-of-fin")
			Teardown(s, SendChallengeACKs(segment.Server, 1))
		})
	}
})
