package specs

import (
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
			played := func(side segment.Side, rules ...string) scenario.Scenario {
				return scenario.Scenario{
					Name:        "duplicated-fin/" + side.String() + "/server-" + server.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      server.Behaviour,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, rules...),
				}
			}

			// The server's acknowledgements come so far apart that the client's call has
			// returned in between: of a socket that is closed and still in use, the
			// second would be discarded (net/ipv4/tcp_input.c, tcp_rcv_state_process,
			// TCP_CLOSE).
			twice := played(segment.Client, "duplicate client fin", "delay server ack-of-fin 2 by 20ms")
			twice.Good = teardown.Reset
			Teardown(twice, AcknowledgeSecondFIN(segment.Server))

			Teardown(played(segment.Server, "duplicate server fin"), AcknowledgeSecondFIN(segment.Client))
		}
	}
})
