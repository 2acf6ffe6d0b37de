package scenario_test

import (
	"testing"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

func TestPlayInOrder(t *testing.T) {
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		for _, closing := range []sock.Closing{sock.ShutdownWrite, sock.Close} {
			t.Run(string(family)+"/"+closing.Name, func(t *testing.T) {
				t.Parallel()
				trial, err := scenario.Play(t.Context(), scenario.Scenario{
					Name: "in-order", Family: family, ServerFirst: true,
					Server: scenario.Behaviour{Closing: closing},
				})
				if err != nil {
					t.Fatal(err)
				}
				if trial.Outcome != teardown.Clean || trial.States[teardown.Server] != "TIME_WAIT" {
					t.Errorf("not a clean active close of the server:\n%s", ladder.Text(trial))
				}
				t.Log("\n" + ladder.Text(trial))
			})
		}
	}
}
