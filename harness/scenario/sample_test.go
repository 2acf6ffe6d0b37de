package scenario_test

import (
	"testing"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The first answer is from before the closing calls: one that is already late
// could be held against nothing.
func TestTheFirstAnswerIsFromBeforeTheClosingCalls(t *testing.T) {
	t.Parallel()
	for trial, err := range scenario.Repeat(t.Context(), overtakenFIN, 40, 4) {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segment.Sides {
			end := trial.Exchange.End(s)
			if first, ok := firstAnswer(end); !ok || first.To != "ESTABLISHED" || first.At > trial.Exchange.Client.CalledAt {
				t.Errorf("the %v was %q at %v, and the client closed at %v", s, first.To, first.At, trial.Exchange.Client.CalledAt)
			}
		}
	}
}

func firstAnswer(end *teardown.End) (teardown.Notice, bool) {
	for _, n := range end.Notices {
		if n.Source == teardown.SockDiag {
			return n, true
		}
	}
	return teardown.Notice{}, false
}
