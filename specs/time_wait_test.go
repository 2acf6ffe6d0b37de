package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// TIME_WAIT lasts for a minute, whatever tcp_fin_timeout says and however its end
// closed (RFC 9293 section 3.6.1 wants two MSL; include/net/tcp.h, TCP_TIMEWAIT_LEN;
// net/ipv4/tcp_minisocks.c, tcp_time_wait).
var _ = Describe("TIME_WAIT lasts for a minute", func() {
	for _, server := range []closingPath{closed, shutdown, finTimeout(30)} {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "long-timers/time-wait/server-" + server.name + "/" + string(family),
				Family:      family,
				Server:      server.Behaviour,
				ServerFirst: true,
				UntilGone:   onServer,
			}, WaitFor(segment.Server, "timewait", time.Minute), StayIn(segment.Server, "TIME_WAIT", time.Minute))
		}
	}

	// Where both close at once, both have to wait.
	Teardown(scenario.Scenario{
		Name:        "long-timers/time-wait/both/ipv4",
		Family:      topologies.IPv4,
		Disturbance: scenario.Wire(nil, "hold client fin until server fin"),
		UntilGone:   segment.Sides[:],
	}, StayIn(segment.Client, "TIME_WAIT", time.Minute), StayIn(segment.Server, "TIME_WAIT", time.Minute))
})
