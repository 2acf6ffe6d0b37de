package matchers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

var late = teardown.Trial{
	Outcome:         teardown.Retransmitted,
	Latency:         map[segment.Side]time.Duration{segment.Server: 260 * time.Millisecond},
	ChallengeACKs:   map[segment.Side]int{segment.Server: 1},
	Retransmissions: []teardown.Retransmission{{From: segment.Client, FIN: true, Timer: teardown.TLP, Segment: "F. 1:1(0) ack 2", Delay: 196 * time.Millisecond, RTO: 204 * time.Millisecond}},
	Overtook: []teardown.Sequence{{Overtaking: teardown.Overtaking{
		From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN,
	}}},
	States: map[segment.Side]string{segment.Client: "CLOSE", segment.Server: "TIME_WAIT"},
}

func TestMatchers(t *testing.T) {
	for _, c := range []struct {
		name    string
		matcher types.GomegaMatcher
		want    bool
	}{
		{"clean", matchers.BeClean(), false},
		{"outcome", matchers.EndAs(teardown.Retransmitted), true},
		{"client's FIN again", matchers.RetransmitFIN(segment.Client), true},
		{"server's FIN again", matchers.RetransmitFIN(segment.Server), false},
		{"in time", matchers.CloseWithin(segment.Server, time.Second), true},
		{"too late", matchers.CloseWithin(segment.Server, 200*time.Millisecond), false},
		{"never", matchers.CloseWithin(segment.Client, time.Second), false},
		{"by the probe", matchers.RetransmitBy(segment.Client, teardown.TLP), true},
		{"by another timer", matchers.RetransmitBy(segment.Client, teardown.RTO), false},
		{"by whoever sent nothing again", matchers.RetransmitBy(segment.Server, teardown.TLP), false},
		{"nothing left", matchers.LeaveNothing(), false},
		{"a jiffy early", matchers.WaitForRTO(segment.Client), true},
		{"challenge ACK", matchers.SendChallengeACKs(segment.Server, 1), true},
		{"no challenge ACK", matchers.SendChallengeACKs(segment.Server, 0), false},
		{"the client's", matchers.SendChallengeACKs(segment.Client, 0), true},
		{"order", matchers.Overtake(segment.Client, segment.KindACKOfFIN, segment.KindFIN), true},
		{"other order", matchers.Overtake(segment.Client, segment.KindFIN, segment.KindACKOfFIN), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := c.matcher.Match(late); err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
			for _, text := range []string{c.matcher.FailureMessage(late), c.matcher.NegatedFailureMessage(late)} {
				if !strings.Contains(text, "sent again after") {
					t.Errorf("the failure does not show the ladder:\n%s", text)
				}
			}
			inconclusive := teardown.Trial{Outcome: teardown.Inconclusive, Why: []string{"a tap lost segments"}}
			if _, err := c.matcher.Match(inconclusive); err == nil || !strings.Contains(err.Error(), "a tap lost segments") {
				t.Errorf("an inconclusive trial was judged: %v", err)
			}
			if _, err := c.matcher.Match("a string"); err == nil {
				t.Error("a string was judged")
			}
		})
	}
}

func TestWhatWasSentAgainTooEarlyDidNotWait(t *testing.T) {
	early := late
	early.Retransmissions = []teardown.Retransmission{{From: segment.Client, Delay: 193 * time.Millisecond, RTO: 204 * time.Millisecond}}
	for side, want := range map[segment.Side]bool{segment.Client: false, segment.Server: true} {
		if got, err := matchers.WaitForRTO(side).Match(early); err != nil || got != want {
			t.Errorf("the %v: got %v, %v", side, got, err)
		}
	}
}

func TestWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		states map[segment.Side]string
		want   bool
	}{
		"nothing":             {map[segment.Side]string{segment.Client: "CLOSE", segment.Server: "CLOSE"}, true},
		"the client is stuck": {map[segment.Side]string{segment.Client: "LAST_ACK", segment.Server: "CLOSE"}, false},
		"nobody says":         {nil, false},
	} {
		trial := teardown.Trial{Outcome: teardown.Reset, States: c.states}
		if got, err := matchers.LeaveNothing().Match(trial); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestOneOtherTimerIsOneTooMany(t *testing.T) {
	twice := late
	twice.Retransmissions = []teardown.Retransmission{{From: segment.Client, Timer: teardown.TLP}, {From: segment.Client, Timer: teardown.RTO}}
	if got, err := matchers.RetransmitBy(segment.Client, teardown.TLP).Match(twice); err != nil || got {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatTheRTOWas(t *testing.T) {
	trial := teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{Client: teardown.End{RTO: 52 * time.Millisecond}}}
	for _, c := range []struct {
		least, below time.Duration
		want         bool
	}{{50, 200, true}, {52, 0, true}, {53, 0, false}, {50, 52, false}} {
		matcher := matchers.HaveRTO(segment.Client, c.least*time.Millisecond, c.below*time.Millisecond)
		if got, err := matcher.Match(trial); err != nil || got != c.want {
			t.Errorf("at least %dms, below %dms: got %v, %v", c.least, c.below, got, err)
		}
	}
}
