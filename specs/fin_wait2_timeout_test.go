package specs

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	gomega "github.com/onsi/gomega/types"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
)

// An orphan in FIN_WAIT2 whose peer never ends is forgotten after tcp_fin_timeout. Up
// to a minute (TCP_TIMEWAIT_LEN) it is a mini-socket. What is longer is divided in two:
// a full socket waits by its keepalive timer for what is above a minute, and then a
// mini-socket for that once more, not for a minute (net/ipv4/tcp_input.c,
// tcp_rcv_state_process; tcp_timer.c, tcp_keepalive_timer: tcp_time_wait for
// tcp_fin_time - TCP_TIMEWAIT_LEN). So what is set to 61 s lasts for two.
var _ = Describe("An orphan in FIN_WAIT2 is forgotten after tcp_fin_timeout", func() {
	for _, family := range families {
		for _, seconds := range []int{30, 60, 61, 120} {
			limit := time.Duration(seconds) * time.Second
			lasts := []time.Duration{limit}
			forms := []gomega.GomegaMatcher{WaitFor(segment.Server, "timewait", limit)}
			if above := limit - time.Minute; above > 0 {
				lasts = []time.Duration{above, above}
				forms = []gomega.GomegaMatcher{WaitFor(segment.Server, "keepalive", above), WaitFor(segment.Server, "timewait", above)}
			}
			Teardown(scenario.Scenario{
				Name:      fmt.Sprintf("long-timers/fin-wait2/orphan/fin-timeout-%d/%s", seconds, family),
				Family:    family,
				Client:    stays,
				Server:    finTimeout(seconds).Behaviour,
				UntilGone: onServer,
				Good:      timedOut,
			}, append(forms, StayIn(segment.Server, "FIN_WAIT2", lasts...))...)
		}
	}
})
