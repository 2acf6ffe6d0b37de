package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The network delivers a FIN twice. The second is old news: it is acknowledged at
// once (RFC 9293 section 3.10.7.4, first check) and changes nothing at its
// receiver. Whoever closed last is gone by the time that acknowledgement comes,
// and answers with a RST, which ends the TIME_WAIT of whoever closed first (RFC
// 1337; net/ipv4/tcp_minisocks.c, tcp_timewait_state_process).
var _ = Describe("A FIN that arrives twice is accepted once", func() {
	for _, server := range shortPaths {
		for _, family := range families {
			played := func(side segment.Side) scenario.Scenario {
				return scenario.Scenario{
					Name:        "duplicated-fin/" + side.String() + "/server-" + server.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      server.Behaviour,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, "duplicate "+side.String()+" fin"),
				}
			}

			// The client's FINs and their acknowledgements come when the calls on both
			// ends have returned, or fallen asleep: what finds its socket in use waits
			// there, and is discarded if what came before it has closed the socket
			// (net/ipv4/tcp_input.c, tcp_rcv_state_process, TCP_CLOSE).
			twice := played(segment.Client)
			twice.Disturbance = twice.Disturbance.(scenario.Wired).Over(20 * time.Millisecond)
			twice.Good = teardown.Reset
			Teardown(twice, AcknowledgeSecondFIN(segment.Server), ResetBy(segment.Client), LeaveNothing())

			Teardown(played(segment.Server), AcknowledgeSecondFIN(segment.Client))
		}
	}
})
