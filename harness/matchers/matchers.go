// Package matchers holds Gomega matchers over a recorded teardown, a
// teardown.Trial. Each failure shows the whole ladder, not the first mismatch.
//
// An inconclusive trial satisfies no matcher and no negation of one: it is an
// error that says why the trial shows nothing.
package matchers

import (
	"fmt"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// BeClean succeeds where both ends closed and nothing was sent twice.
func BeClean() types.GomegaMatcher {
	return EndAs(teardown.Clean)
}

// EndAs succeeds where the trial has the outcome.
func EndAs(outcome teardown.Outcome) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to end as %s", outcome),
		met:  func(t teardown.Trial) bool { return t.Outcome == outcome },
	}
}

// LeaveNothing succeeds where no kernel knows the connection any more, not even in
// TIME_WAIT.
func LeaveNothing() types.GomegaMatcher {
	return &matcher{
		wish: "to leave nothing of the connection",
		met: func(t teardown.Trial) bool {
			for _, state := range t.States {
				if state != "CLOSE" {
					return false
				}
			}
			return len(t.States) > 0
		},
	}
}

// CloseWithin succeeds where the side was closed at most so long after its
// closing call. Elapsed time proves nothing by itself: use it beside a matcher
// that looks at what happened.
func CloseWithin(side segment.Side, limit time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v closed within %v", side, limit),
		met: func(t teardown.Trial) bool {
			took, closed := t.Latency[side]
			return closed && took <= limit
		},
	}
}

// RetransmitFIN succeeds where the side sent its FIN again.
func RetransmitFIN(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v send its FIN again", side),
		met: func(t teardown.Trial) bool {
			for _, r := range t.Retransmissions {
				if r.From == side && r.FIN {
					return true
				}
			}
			return false
		},
	}
}

// jiffy is the longest tick that a kernel is configured for: HZ=100.
const jiffy = 10 * time.Millisecond

// WaitForRTO succeeds where the side sent nothing again earlier than its
// retransmission timeout allows: neither the RTO nor, for a lone segment, the TLP
// is due before (RFC 6298 section 5, RFC 8985 section 7.2). The timer's tick is
// allowed for.
func WaitForRTO(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v send nothing again before its RTO is over", side),
		met: func(t teardown.Trial) bool {
			for _, r := range t.Retransmissions {
				if r.From == side && r.Delay < r.RTO-jiffy {
					return false
				}
			}
			return true
		},
	}
}

// RetransmitBy succeeds where the side sent something again, and only by that
// timer.
func RetransmitBy(side segment.Side, timer teardown.Timer) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v send again by the %s, and by nothing else", side, timer),
		met: func(t teardown.Trial) bool {
			again := false
			for _, r := range t.Retransmissions {
				if r.From != side {
					continue
				}
				if r.Timer != timer {
					return false
				}
				again = true
			}
			return again
		},
	}
}

// HaveRTO succeeds where the side's retransmission timeout before it closed was at
// least that long, and below a limit; 0 is no limit.
func HaveRTO(side segment.Side, least, below time.Duration) types.GomegaMatcher {
	wish := fmt.Sprintf("to have the %v's RTO at least %v", side, least)
	if below > 0 {
		wish += fmt.Sprintf(" and below %v", below)
	}
	return &matcher{
		wish: wish,
		met: func(t teardown.Trial) bool {
			rto := t.Exchange.End(side).RTO
			return rto >= least && (below == 0 || rto < below)
		},
	}
}

// Overtake succeeds where, of what the side sent, a segment of the kind fast
// arrived before one of the kind slow that had been sent earlier.
func Overtake(side segment.Side, fast, slow segment.Kind) types.GomegaMatcher {
	want := teardown.Overtaking{From: side, Fast: fast, Slow: slow}
	return &matcher{
		wish: fmt.Sprintf("to show that %v", want),
		met: func(t teardown.Trial) bool {
			for _, seen := range t.Overtook {
				if seen.Overtaking == want {
					return true
				}
			}
			return false
		},
	}
}

// SendChallengeACKs succeeds where the side sent so many challenge ACKs (RFC 5961).
func SendChallengeACKs(side segment.Side, n int) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v send challenge ACKs, %d of them", side, n),
		met:  func(t teardown.Trial) bool { return t.ChallengeACKs[side] == n },
	}
}

type matcher struct {
	wish string
	met  func(teardown.Trial) bool
	// shows is what a failure has above the ladder; nil for nothing.
	shows func(teardown.Trial) string
}

// Match implements Gomega's interface.
func (m *matcher) Match(actual any) (bool, error) {
	trial, ok := actual.(teardown.Trial)
	if !ok {
		return false, fmt.Errorf("this matcher looks at a teardown.Trial, not at a %T", actual)
	}
	if trial.Outcome == teardown.Inconclusive {
		return false, fmt.Errorf("the trial is inconclusive, so it cannot be told whether it is %s\n%s", m.wish, ladder.Text(trial))
	}
	return m.met(trial), nil
}

// FailureMessage implements Gomega's interface.
func (m *matcher) FailureMessage(actual any) string {
	return m.message("Expected the teardown ", actual)
}

// NegatedFailureMessage implements Gomega's interface.
func (m *matcher) NegatedFailureMessage(actual any) string {
	return m.message("Expected the teardown not ", actual)
}

func (m *matcher) message(expected string, actual any) string {
	trial, shown := actual.(teardown.Trial), ""
	if m.shows != nil {
		shown = m.shows(trial)
	}
	return expected + m.wish + ", but this happened:\n" + shown + ladder.Text(trial)
}
