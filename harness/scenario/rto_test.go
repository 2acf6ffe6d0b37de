package scenario_test

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// The RTO is a round trip and the least that the route allows, or more (RFC 6298
// section 2).
func TestTheRTOFollowsTheRouteAndTheRoundTrip(t *testing.T) {
	t.Parallel()
	const usual = 200 * time.Millisecond // TCP_RTO_MIN
	for _, c := range []struct {
		name         string
		client       scenario.Behaviour
		roundTrip    time.Duration
		least, below time.Duration // of the client's
	}{
		{name: "as the kernel has it", least: usual},
		{name: "a short one", client: scenario.Behaviour{RTOMin: 50 * time.Millisecond}, least: 50 * time.Millisecond, below: usual},
		{name: "a long one", client: scenario.Behaviour{RTOMin: 500 * time.Millisecond}, least: 500 * time.Millisecond},
		{name: "a long way", roundTrip: 100 * time.Millisecond, least: usual + 100*time.Millisecond},
	} {
		trial, err := scenario.Play(t.Context(), scenario.Scenario{
			Name: "rto", Family: topologies.IPv4, ServerFirst: true, Client: c.client,
			Disturbance: scenario.Wire(nil).Over(c.roundTrip),
		})
		if err != nil {
			t.Fatal(err)
		}
		client, server := trial.Exchange.End(segment.Client).RTO, trial.Exchange.End(segment.Server).RTO
		if client < c.least || c.below > 0 && client >= c.below {
			t.Errorf("%s: the client's RTO is %v", c.name, client)
		}
		if server < usual+c.roundTrip {
			t.Errorf("%s: the server's RTO is %v", c.name, server)
		}
	}
}
