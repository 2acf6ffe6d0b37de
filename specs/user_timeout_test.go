package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

const userTimeout = 30 * time.Second

// TCP_USER_TIMEOUT is the limit in the place of all others (RFC 5482), also of an
// orphan; the last wait is cut to what is left of it. Linux counts it from the first
// retransmission by the RTO on (net/ipv4/tcp_timer.c, tcp_write_timeout and
// tcp_clamp_rto_to_user_timeout).
var _ = Describe("TCP_USER_TIMEOUT bounds how long a FIN is sent again", func() {
	for _, path := range []closingPath{closed, shutdown} {
		Teardown(scenario.Scenario{
			Name:        "long-timers/unacknowledged-fin/user-timeout-30/server-" + path.name + "/ipv4",
			Family:      topologies.IPv4,
			Client:      stays,
			Server:      withUserTimeout(path.Behaviour),
			Disturbance: cutOff(segment.Server),
			UntilGone:   onServer,
			Good:        timedOut,
		}, BackOffWithin(segment.Server, "retransmit", userTimeout), GiveUpAfter(segment.Server, "retransmit", userTimeout))
	}
})

func withUserTimeout(b scenario.Behaviour) scenario.Behaviour {
	b.Prepare = func(c *sock.Conn) error { return c.SetUserTimeout(userTimeout) }
	return b
}
