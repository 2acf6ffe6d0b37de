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

func TestWhoseFINHasToWait(t *testing.T) {
	fin := func(at time.Duration, sent bool) segment.Sighting {
		return segment.Sighting{At: at, Sent: sent, Segment: segment.Segment{Flags: segment.FIN | segment.ACK}}
	}
	for name, c := range map[string]struct {
		sightings []segment.Sighting
		want      bool
	}{
		"the peer's comes first":           {[]segment.Sighting{fin(3, false), fin(4, true)}, true},
		"its own comes first":              {[]segment.Sighting{fin(3, true), fin(4, false)}, false},
		"the peer's comes before the call": {[]segment.Sighting{fin(1, false), fin(4, true)}, false},
		"neither comes":                    {nil, false},
	} {
		trial := teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{
			Server: teardown.End{Call: "close()", CalledAt: 2, Sightings: c.sightings},
		}}
		if got, err := matchers.ReceiveFINFirst(segment.Server).Match(trial); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
