package specs

import (
	"maps"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/topologies"
)

var families = []topologies.Family{topologies.IPv4, topologies.IPv6}

// A variant changes what a teardown runs over, and nothing of what it should
// come to.
type variant struct {
	name  string
	apply func(*scenario.Scenario)
}

// mechanisms are what the kernel's code looks at when it judges a segment, or
// decides by which timer to send one again.
var mechanisms = []variant{
	{"timestamps-off", bothSet("net.ipv4.tcp_timestamps", "0")},
	{"sack-off", bothSet("net.ipv4.tcp_sack", "0")},                 // so that no TLP is sent: RTO
	{"early-retrans-0", bothSet("net.ipv4.tcp_early_retrans", "0")}, // the same
	{"early-retrans-3", bothSet("net.ipv4.tcp_early_retrans", "3")},
}

// durations are what that timer is made of.
var durations = []variant{
	{"rtt-20ms", roundTrip(20 * time.Millisecond)},
	{"rtt-100ms", roundTrip(100 * time.Millisecond)},
	{"rto-min-50ms", rtoMin(50 * time.Millisecond)},
	{"rto-min-200ms", rtoMin(200 * time.Millisecond)},
}

// mapped has IPv4 run between sockets of IPv6.
var mapped = variant{"v4-mapped", func(s *scenario.Scenario) { s.Family = topologies.IPv4Mapped }}

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
