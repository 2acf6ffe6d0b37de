package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The network delivers a FIN twice. The second is old news: it is acknowledged
// again (RFC 9293 section 3.10.7.4, first check) and changes nothing at its
// receiver. Whoever closed last is gone by the time that acknowledgement comes,
// and answers with a RST, which ends the TIME_WAIT of whoever closed first (RFC
// 1337 section 2, hazard H3; net/ipv4/tcp_minisocks.c,
// tcp_timewait_state_process).
var _ = Describe("A FIN that arrives twice is acknowledged twice", func() {
	good := map[segment.Side]teardown.Outcome{segment.Client: teardown.Reset, segment.Server: teardown.Clean}
	for _, server := range shortPaths {
		for _, family := range families {
			for _, side := range segment.Sides {
				Teardown(scenario.Scenario{
					Name:        "duplicated-fin/" + side.String() + "/server-" + server.name + "/" + string(family) + "/wire",
					Family:      family,
					Server:      server.Behaviour,
					ServerFirst: true,
					Disturbance: scenario.Wire(nil, "duplicate "+side.String()+" fin"),
					Good:        good[side],
				})
			}
		}
	}
})
