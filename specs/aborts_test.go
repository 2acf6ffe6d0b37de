package specs

import (
	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// An abort is a close() that ends in a RST, after which neither end knows the
// connection any more.
type abort struct {
	closingPath
	clientSays int // octets that the server leaves unread
}

// aborts are close() with SO_LINGER of 0; with data that the program has not read
// (RFC 2525 section 2.17); and with no time to spend in FIN_WAIT2, which sends a
// FIN first, and a RST when that has been acknowledged (net/ipv4/tcp.c,
// __tcp_close; tcp_input.c, tcp_rcv_state_process).
var aborts = []abort{
	{closingPath: closingPath{"close-linger-0", scenario.Behaviour{Closing: sock.CloseLingering(0)}}},
	{closingPath: closingPath{"close-unread", closed.Behaviour}, clientSays: 100},
	{closingPath: noFINWAIT2},
}

// noFINWAIT2 leaves FIN_WAIT2 as soon as it gets there.
var noFINWAIT2 = closingPath{"close-linger2-minus-1", linger2(-1).Behaviour}

var _ = Describe("A close that aborts resets the connection", func() {
	for _, server := range aborts {
		for _, family := range families {
			Teardown(scenario.Scenario{
				Name:        "abort/server-" + server.name + "/" + string(family),
				Family:      family,
				Client:      scenario.Behaviour{Says: server.clientSays},
				Server:      server.Behaviour,
				ServerFirst: true,
				Good:        teardown.Reset,
			}, ResetBy(segment.Server), LeaveNothing())
		}
	}

	// The FIN that was overtaken finds no socket any more.
	for _, family := range families {
		Teardown(scenario.Scenario{
			Name:        "overtaken-fin/server-" + noFINWAIT2.name + "/" + string(family) + "/wire",
			Family:      family,
			Server:      noFINWAIT2.Behaviour,
			Disturbance: byWire,
			Good:        teardown.Reset,
		}, ResetBy(segment.Server), LeaveNothing())
	}
})
