package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// A program that holds its socket in FIN_WAIT2 waits for its peer's FIN for ever, unless
// it has asked for SO_KEEPALIVE. Then a peer that has vanished is asked nine times
// (tcp(7), tcp_keepalive_probes), at even intervals, and the connection is reset
// (RFC 9293 section 3.8.4; net/ipv4/tcp_timer.c, tcp_keepalive_timer).
var _ = Describe("Keepalive ends FIN_WAIT2", func() {
	asked := sock.Keepalive{Idle: 2 * time.Minute, Interval: 75 * time.Second, Probes: 9}
	server := shutdown.Behaviour
	server.Prepare = func(c *sock.Conn) error { return c.SetKeepalive(asked) }
	// How long the first wait was set to is not asked: the timer has run since the
	// option was set, and goes off to find that something came in the meantime.
	series := []time.Duration{0}
	for range asked.Probes {
		series = append(series, asked.Interval)
	}
	Teardown(scenario.Scenario{
		Name:        "long-timers/fin-wait2/keepalive/ipv4",
		Family:      topologies.IPv4,
		Client:      stays,
		Server:      server,
		Disturbance: vanished(segment.Client, "client ack-of-fin"),
		UntilGone:   onServer,
		Good:        teardown.Reset,
	}, WaitFor(segment.Server, "keepalive", series...), ResetBy(segment.Server),
		PassThrough(segment.Server, "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE"))
})
