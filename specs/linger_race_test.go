package specs

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/scenario"
)

// close() with SO_LINGER waits for its FIN to be acknowledged before it gives the
// socket up (net/ipv4/tcp.c, __tcp_close; net/core/stream.c, sk_stream_wait_close).
// A FIN that comes right behind that acknowledgement finds what shutdown() leaves,
// or, once the caller has been scheduled, what close() leaves; and in between it
// can find the full socket on its way out, closed, and be dropped without a word
// (tcp_input.c, tcp_rcv_state_process, TCP_CLOSE). Which it is, is chance: so it
// is counted, and not judged.
var _ = Describe("A lingering close races with the FIN that follows the ACK", func() {
	for _, family := range families {
		race := scenario.Scenario{Family: family, Server: lingering.Behaviour, Race: true}
		ending := "/server-" + lingering.name + "/" + string(family)

		inOrder := race
		inOrder.Name, inOrder.ServerFirst = "in-order"+ending, true
		Teardown(inOrder)

		overtaken := race
		overtaken.Name, overtaken.Disturbance = "overtaken-fin"+ending+"/wire", byWire
		Teardown(overtaken)
	}
})
