package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// A kernel accepts the forged FIN, or refuses it by one challenge ACK; which one
// it does is for the specs to judge.
func TestForgedClientEndsAtTheAnswer(t *testing.T) {
	t.Parallel()
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		for _, closing := range []sock.Closing{sock.ShutdownWrite, sock.Close} {
			begin := time.Now()
			trial, err := scenario.Play(t.Context(), scenario.Scenario{
				Name: "forged", Family: family, Server: scenario.Behaviour{Closing: closing},
				Disturbance: scenario.ForgeClient(), Deadline: time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			refused := trial.Outcome == teardown.Stuck && trial.ChallengeACKs[segment.Server] == 1
			if trial.Outcome != teardown.Clean && !refused || len(trial.Overtook) != 1 {
				t.Errorf("%s over %s: %s %q, overtakings %v", closing.Name, family, trial.Outcome, trial.Why, trial.Overtook)
			}
			for _, o := range trial.Overtook {
				if o.FastSegment != ". 4417:4417(0) ack 754" || o.SlowSegment != "F. 4416:4416(0) ack 753" {
					t.Errorf("%s over %s: %s came before %s", closing.Name, family, o.FastSegment, o.SlowSegment)
				}
			}
			if _, told := trial.States[segment.Client]; told || trial.States[segment.Server] == "" {
				t.Errorf("%s over %s: states %v", closing.Name, family, trial.States)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("%s over %s: it took %v", closing.Name, family, took)
			}
		}
	}
}

// Without time in FIN_WAIT2 the kernel answers with RSTs.
func TestForgedClientIsReset(t *testing.T) {
	t.Parallel()
	trial, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "forged-linger2", Family: topologies.IPv4, Disturbance: scenario.ForgeClient(),
		Server: scenario.Behaviour{Closing: sock.Close, Prepare: func(c *sock.Conn) error { return c.SetLinger2(-1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if trial.Outcome != teardown.Reset {
		t.Errorf("%s %q %v", trial.Outcome, trial.Why, trial.Counters)
	}
}

func TestForgedClientThatNeverGetsToItIsInconclusive(t *testing.T) {
	t.Parallel()
	trial, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "forged-late", Family: topologies.IPv4, Disturbance: scenario.ForgeClient(), Deadline: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if trial.Outcome != teardown.Inconclusive || !strings.Contains(strings.Join(trial.Why, "\n"), "the order asked for was not seen") {
		t.Errorf("%s %q", trial.Outcome, trial.Why)
	}
}

func TestForgedClientTakesNoOrders(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]scenario.Scenario{
		"closing":      {Client: scenario.Behaviour{Closing: sock.Close}},
		"prepare":      {Client: scenario.Behaviour{Prepare: func(*sock.Conn) error { return nil }}},
		"server first": {ServerFirst: true},
	} {
		s.Name, s.Family, s.Disturbance = name, topologies.IPv4, scenario.ForgeClient()
		if _, err := scenario.Play(t.Context(), s); err == nil || !strings.Contains(err.Error(), "leave them out") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
