package specs

import (
	"maps"
	"time"

	. "github.com/onsi/gomega"
	gomega "github.com/onsi/gomega/types"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

var families = []topologies.Family{topologies.IPv4, topologies.IPv6}

// A variant changes what a teardown runs over, and nothing of what it should
// come to.
type variant struct {
	name  string
	apply func(*scenario.Scenario)
	// shows is what every trial has to show of it.
	shows []gomega.GomegaMatcher
	// timer is what sends a lone segment again; empty for the TLP.
	timer teardown.Timer
}

// mechanisms are what the kernel's code looks at when it judges a segment, or
// decides by which timer to send one again.
var mechanisms = []variant{
	{name: "timestamps-off", apply: bothSet("net.ipv4.tcp_timestamps", "0"), shows: []gomega.GomegaMatcher{Not(UseTimestamps())}},
	{name: "sack-off", apply: bothSet("net.ipv4.tcp_sack", "0"), timer: teardown.RTO},
	{name: "early-retrans-0", apply: bothSet("net.ipv4.tcp_early_retrans", "0"), timer: teardown.RTO},
	{name: "early-retrans-3", apply: bothSet("net.ipv4.tcp_early_retrans", "3")},
}

// durations are what that timer is made of: a round trip, and at least 200 ms
// (TCP_RTO_MIN) or what the route says.
var durations = []variant{
	{name: "rtt-20ms", apply: roundTrip(20 * time.Millisecond), shows: clientRTO(220*time.Millisecond, 0)},
	{name: "rtt-100ms", apply: roundTrip(100 * time.Millisecond), shows: clientRTO(300*time.Millisecond, 0)},
	{name: "rto-min-50ms", apply: rtoMin(50 * time.Millisecond), shows: clientRTO(50*time.Millisecond, 200*time.Millisecond)},
	{name: "rto-min-200ms", apply: rtoMin(200 * time.Millisecond), shows: clientRTO(200*time.Millisecond, 0)},
}

func clientRTO(least, below time.Duration) []gomega.GomegaMatcher {
	return []gomega.GomegaMatcher{HaveRTO(segment.Client, least, below)}
}

// mapped has IPv4 run between sockets of IPv6.
var mapped = variant{name: "v4-mapped", apply: func(s *scenario.Scenario) { s.Family = topologies.IPv4Mapped }}

// bothSet sets a sysctl on both ends.
func bothSet(name, value string) func(*scenario.Scenario) {
	return func(s *scenario.Scenario) {
		for _, b := range []*scenario.Behaviour{&s.Client, &s.Server} {
			sysctls := map[string]string{name: value}
			maps.Copy(sysctls, b.Sysctls)
			b.Sysctls = sysctls
		}
	}
}

// roundTrip makes a round trip over a wire last that long.
func roundTrip(d time.Duration) func(*scenario.Scenario) {
	return func(s *scenario.Scenario) { s.Disturbance = s.Disturbance.(scenario.Wired).Over(d) }
}

// rtoMin bounds the client's RTO from below. The server's has to stay above the 40
// ms and more that the client's ACK of its FIN may be delayed.
func rtoMin(d time.Duration) func(*scenario.Scenario) {
	return func(s *scenario.Scenario) { s.Client.RTOMin = d }
}
