package scenario_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// What it takes to play an end again is in the exchange: how it was set up, and what its
// program did before it closed, on the clock of the taps.
func TestTheExchangeSaysHowItsEndsWereSetUp(t *testing.T) {
	t.Parallel()
	sysctls := map[string]string{"net.ipv4.tcp_fin_timeout": "61"}
	for family, domain := range map[topologies.Family]string{
		topologies.IPv4: "AF_INET", topologies.IPv6: "AF_INET6", topologies.IPv4Mapped: "AF_INET6",
	} {
		trial := mustPlay(t, scenario.Scenario{
			Name: "set-up", Family: family, ServerFirst: true,
			Client: scenario.Behaviour{RTOMin: 100 * time.Millisecond, AcksAtOnce: true, LastWords: 10},
			Server: scenario.Behaviour{Sysctls: sysctls},
		}, teardown.Clean)
		client, server := trial.Exchange.Client.Setup, trial.Exchange.Server.Setup
		if client.RTOMin != 100*time.Millisecond || !client.QuickACK || !reflect.DeepEqual(server.Sysctls, sysctls) {
			t.Errorf("over %s: %+v and %+v", family, client, server)
		}
		for _, side := range segment.Sides {
			end := trial.Exchange.End(side)
			if end.Setup.Domain != domain {
				t.Errorf("over %s: the %v's socket is %s", family, side, end.Setup.Domain)
			}
			for _, c := range end.Setup.Calls {
				if c.At < end.Sightings[0].At || c.At > end.Sightings[len(end.Sightings)-1].At {
					t.Errorf("over %s: the %v called %s at %v, outside of what its tap saw", family, side, c.Name, c.At)
				}
			}
		}
		wantCalls(t, client, "write 4415", "read 752", "write 10")
		wantCalls(t, server, "read 4415", "write 752")
	}
}

func wantCalls(t *testing.T, s *teardown.Setup, want ...string) {
	t.Helper()
	var got []string
	for _, c := range s.Calls {
		got = append(got, fmt.Sprintf("%s %d", c.Name, c.Octets))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the program did %q, want %q", got, want)
	}
}
