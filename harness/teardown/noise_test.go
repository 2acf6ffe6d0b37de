package teardown

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// unanswered is refused, but for the refusal: the late FIN is met with silence.
func unanswered() *Exchange {
	x := build(append(slices.Clone(overtakenFIN),
		sent{segment.Client, 364, 364, fin, 4416, 0, 754, 0},
		sent{segment.Server, 365, 365, ack, 754, 0, 4417, 0},
	)...)
	x.Asked = []Overtaking{lateFIN}
	x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
	x.Client.Socket.Retransmissions = 1
	return x
}

// A machine that is late can make a segment be sent again, and keep an end from
// closing. What was lost or refused was so however late the machine was.
func TestNoise(t *testing.T) {
	lostFIN := func() *Exchange {
		x := build(
			sent{segment.Server, 101, 101, fin, 753, 0, 4416, 0},
			sent{segment.Client, 102, 102, ack, 4416, 0, 754, 0},
			sent{segment.Client, 160, lost, fin, 4416, 0, 754, 0},
			sent{segment.Client, 364, 364, fin, 4416, 0, 754, 0},
			sent{segment.Server, 365, 365, ack, 754, 0, 4417, 0},
		)
		x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
		x.Client.Socket.Retransmissions = 1
		return x
	}
	for _, c := range []struct {
		name    string
		x       *Exchange
		noise   time.Duration
		outcome Outcome
	}{
		{"silence, and a machine in time", unanswered(), 101 * time.Millisecond, Retransmitted},
		{"silence, and a machine that was late", unanswered(), 102 * time.Millisecond, Inconclusive},
		{"a refusal", refused(), time.Minute, Retransmitted},
		{"a loss", lostFIN(), time.Minute, Retransmitted},
		{"nothing sent again", accepted(), time.Minute, Clean},
		{"stuck, and a machine in time", stuck(), 999 * time.Millisecond, Stuck},
		{"stuck, and a machine that was late", stuck(), time.Second, Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.x.Noise = c.noise
			c.x.Client.RTO = 204 * time.Millisecond
			trial := Judge(c.x)
			expectOutcome(t, trial, c.outcome)
			late := func(why string) bool { return strings.Contains(why, "kept its threads waiting") }
			if c.outcome == Inconclusive && !slices.ContainsFunc(trial.Why, late) {
				t.Errorf("it is inconclusive because %q", trial.Why)
			}
		})
	}
}
