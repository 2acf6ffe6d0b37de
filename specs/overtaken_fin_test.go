package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// lateFIN is what is to be seen: the client's ACK of the server's FIN arrives
// before the FIN that the client had sent earlier.
var lateFIN = []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}

// overtakings bring it about in three ways: by a delay of FINs alone and by
// netem's reordering, as a network would; and, by a wire, for certain and on any
// kernel.
var overtakings = []struct {
	suffix      string
	disturbance scenario.Disturbance
}{
	{"", scenario.HoldClientFIN(60 * time.Millisecond)},
	{"/reorder", scenario.ReorderClientFIN(60 * time.Millisecond)},
	{"/wire", scenario.Wire(lateFIN, "hold client fin until client ack-of-fin")},
}

// Both ends close at the same time, and on the way to the server the client's
// ACK of the server's FIN overtakes the client's own FIN. The FIN acknowledges
// less than the server has been told already, but it is in the window and in
// sequence: it has to be accepted (RFC 9293 section 3.10.7.4, fifth check: an
// old acknowledgement can be ignored). Linux dropped it in FIN_WAIT2 until "net:
// tcp: accept old ack during closing" (795a7dfbc3d9).
var _ = Describe("A FIN that its own ACK overtook is accepted", func() {
	for _, path := range closingPaths {
		for _, family := range families {
			for _, way := range overtakings {
				Teardown(scenario.Scenario{
					Name:        "overtaken-fin/" + path.name + "/" + string(family) + way.suffix,
					Family:      family,
					Server:      path.server,
					Disturbance: way.disturbance,
				})
			}
		}
	}
})
