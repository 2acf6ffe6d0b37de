package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// A FIN that is never acknowledged is sent again, each time after twice as long, until
// the kernel gives the connection up. It does so when that has gone on for as long as a
// number of retransmissions would take from an RTO of 200 ms (TCP_RTO_MIN) on, counted
// from the first by the RTO (net/ipv4/tcp_timer.c, tcp_write_timeout,
// retransmits_timed_out and tcp_model_timeout): tcp_retries2 where a program holds the
// socket, tcp_orphan_retries where none does, and 0 of those mean 8.
var _ = Describe("A FIN that is never acknowledged", func() {
	for _, end := range []struct {
		name  string
		as    scenario.Behaviour
		limit time.Duration
	}{
		{"orphan", closed.Behaviour, modelTimeout(8)},
		{"orphan/retries-3", withSysctl(closed.Behaviour, "net.ipv4.tcp_orphan_retries", "3"), modelTimeout(3)},
		{"orphan/early-retrans-0", withSysctl(closed.Behaviour, "net.ipv4.tcp_early_retrans", "0"), modelTimeout(8)},
		{"held", shutdown.Behaviour, modelTimeout(15)},
		{"held/retries2-5", withSysctl(shutdown.Behaviour, "net.ipv4.tcp_retries2", "5"), modelTimeout(5)},
	} {
		Teardown(scenario.Scenario{
			Name:        "long-timers/unacknowledged-fin/" + end.name + "/ipv4",
			Family:      topologies.IPv4,
			Client:      stays,
			Server:      end.as,
			Disturbance: cutOff(segment.Server),
			UntilGone:   onServer,
			Good:        timedOut,
		}, BackOff(segment.Server, "retransmit"), GiveUpAfter(segment.Server, "retransmit", end.limit))
	}
})

// modelTimeout is how long so many retransmissions take from an RTO of 200 ms on that
// doubles up to two minutes, and the wait after the last.
func modelTimeout(retries int) (total time.Duration) {
	for i, rto := 0, 200*time.Millisecond; i <= retries; i++ {
		total += rto
		rto = min(2*rto, 2*time.Minute)
	}
	return total
}
