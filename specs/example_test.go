package specs

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// A scenario of one's own: what is to happen, and what a good kernel makes of
// it.
var _ = Describe("Example", func() {
	Teardown(scenario.Scenario{
		Name:        "example/close-after-response/ipv4",
		Family:      topologies.IPv4,
		Server:      scenario.Behaviour{Closing: sock.Close},
		ServerFirst: true,
	}, Not(RetransmitFIN(segment.Client)))
})
