package report

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/teardown"
)

func TestWhatAScenarioShows(t *testing.T) {
	t.Parallel()
	clean := teardown.Trial{Outcome: teardown.Clean}
	for name, c := range map[string]struct {
		of         Scenario
		words, why string
	}{
		"as it should":   {Scenario{Expected: teardown.Clean, Outcome: teardown.Clean, Trials: []teardown.Trial{clean}}, "clean", ""},
		"in another way": {Scenario{Expected: teardown.Clean, Outcome: teardown.Retransmitted}, "retransmitted", ""},
		"not all of it": {
			Scenario{Expected: teardown.Clean, Outcome: teardown.Clean, Trials: []teardown.Trial{clean, {Outcome: teardown.Clean, Unmet: []string{"to be quick"}}}},
			"clean, but it was to be quick", "",
		},
		"inconclusive": {
			Scenario{Expected: teardown.Clean, Outcome: teardown.Inconclusive, Trials: []teardown.Trial{clean, {Outcome: teardown.Inconclusive, Why: []string{"a tap lost segments"}}}},
			"", "a tap lost segments",
		},
		"skipped":    {Scenario{Expected: teardown.Clean, Skipped: "no netem"}, "", "no netem"},
		"broken":     {Scenario{Expected: teardown.Clean, Outcome: teardown.Clean, Error: "no veth"}, "", "no veth"},
		"not played": {Scenario{Name: "x"}, "", "not played"},
		"an answer":  {Scenario{Observed: "FIN", Observations: []behaviour.Observation{{Answer: "FIN"}}}, "FIN", ""},
		"no answer":  {Scenario{Observations: []behaviour.Observation{{Why: "it doubts"}}}, "", "it doubts"},
		"two answers": {
			Scenario{Observations: []behaviour.Observation{{Answer: "FIN"}, {Answer: "RST"}}}, "", "the observations differ: FIN 1, RST 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words, why := c.of.Shows()
			NewWithT(t).Expect([]string{words, why}).To(Equal([]string{c.words, c.why}))
		})
	}
}
