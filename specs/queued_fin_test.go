package specs

import (
	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// The client has ended its sending side while the server still has more to say
// than the client has room for, and the server ends too: its FIN has to wait
// behind its data. As the client reads on, its ACK of some of that data overtakes
// its FIN. The server is in FIN_WAIT1, with a full socket however it closed, and
// has to go to CLOSING.
var _ = Describe("A FIN is accepted while the receiver's own waits behind its data", func() {
	for _, server := range append(shortPaths, lingering) {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:   "queued-fin/server-" + server.name + "/" + string(family) + "/wire",
				Family: family,
				Client: withLittleRoom,
				Server: withMuchToSay(server.Behaviour),
				Disturbance: scenario.Wire(
					[]teardown.Overtaking{{From: segment.Client, Fast: segment.KindACK, Slow: segment.KindFIN}},
					"hold client fin until client advancing-ack"),
			}, ReceiveFINFirst(segment.Server))
		}
	}
})

// withLittleRoom has room for a few segments.
var withLittleRoom = scenario.Behaviour{
	Closing: sock.ShutdownWrite,
	Sysctls: map[string]string{"net.ipv4.tcp_rmem": "4096 16384 16384"},
}

// withMuchToSay says three times as much as that, and has room for it. It sends no
// TLP, which would come before the delayed ACK of two segments does, and repeat
// what was not lost.
func withMuchToSay(b scenario.Behaviour) scenario.Behaviour {
	b.Says = 3 * 16384
	b.Sysctls = map[string]string{
		"net.ipv4.tcp_wmem":          "4096 131072 131072",
		"net.ipv4.tcp_early_retrans": "0",
	}
	return b
}
