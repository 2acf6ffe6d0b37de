package specs

import (
	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// A server that closes while its client's window is shut has to wait with its FIN
// behind its data, and asks whether the window has opened: each time after twice as
// long (RFC 9293 section 3.8.6.1). A program may wait for ever. An orphan is given up,
// although the client answers, once it would wait for two minutes (net/ipv4/tcp_timer.c,
// tcp_probe_timer: no retries are left to an orphan that is not "alive"). A client that
// does not answer is given up after as many probes as there may be retransmissions.
var _ = Describe("A window that is shut as its peer closes", func() {
	Teardown(behindShutWindow("long-timers/zero-window/orphan/ipv4", closed.Behaviour, nil),
		BackOff(segment.Server, "probe"), GiveUpAtLongestWait(segment.Server, "probe"))

	unanswered := cutOff(segment.Client)
	Teardown(behindShutWindow("long-timers/zero-window/peer-vanishes/orphan/ipv4", closed.Behaviour, unanswered),
		BackOff(segment.Server, "probe"), GiveUpAfterProbes(segment.Server, 8))
	Teardown(behindShutWindow("long-timers/zero-window/peer-vanishes/held/ipv4", shutdown.Behaviour, unanswered),
		BackOff(segment.Server, "probe"), GiveUpAfterProbes(segment.Server, 15))

	Teardown(behindShutWindow("long-timers/zero-window/user-timeout-30/held/ipv4", withUserTimeout(shutdown.Behaviour), nil),
		BackOffWithin(segment.Server, "probe", userTimeout), GiveUpAfter(segment.Server, "probe", userTimeout))
})

// behindShutWindow is a server that closes with more to say than its client, which
// reads nothing, has room for.
func behindShutWindow(name string, server scenario.Behaviour, disturbance scenario.Disturbance) scenario.Scenario {
	client := withLittleRoom
	client.Stays = true
	server = withMuchToSay(server)
	server.FillsWindow = true
	return scenario.Scenario{
		Name: name, Family: topologies.IPv4,
		Client: client, Server: server,
		Disturbance: disturbance,
		UntilGone:   onServer,
		Good:        timedOut,
	}
}
