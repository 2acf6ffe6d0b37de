package report

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

func TestTheLineOfATrialShowsWhatWasWaitedFor(t *testing.T) {
	const ms = time.Millisecond
	step := func(state string, at time.Duration) teardown.Step { return teardown.Step{State: state, At: at} }
	again := func(delay time.Duration) teardown.Retransmission {
		return teardown.Retransmission{From: segment.Server, Timer: teardown.RTO, Delay: delay}
	}
	for _, c := range []struct {
		trial teardown.Trial
		want  string
	}{
		{
			teardown.Trial{
				Outcome:         teardown.TimedOut,
				Retransmissions: []teardown.Retransmission{again(204 * ms), again(412 * ms), again(832 * ms)},
				GivenUp:         map[segment.Side]time.Duration{segment.Server: 104_240 * ms},
			},
			"s: timed-out; the server sent again after 0.204 0.412 0.832 s; the server gave up after 104.2 s",
		},
		{
			teardown.Trial{
				Outcome: teardown.Reset,
				Waits: map[segment.Side][]teardown.Wait{segment.Client: {
					{Timer: "retransmit", Took: 204 * ms}, {Timer: "keepalive", Took: 61 * time.Second}, {Timer: "keepalive"}, {Timer: "keepalive", Took: 10 * time.Second},
				}},
			},
			"s: reset; the client's keepalive timer took 61.000 10.000 s",
		},
		{
			teardown.Trial{
				Outcome:  teardown.Clean,
				Paths:    map[segment.Side][]teardown.Step{segment.Server: {step("FIN_WAIT2", 0), step("TIME_WAIT", 40*ms), step("CLOSE", 61_040*ms)}},
				Reopened: &teardown.Reopening{Refused: 300, Opened: 1003 * ms},
			},
			"s: clean; TIME_WAIT of the server lasted 61.000 s; the client's port could be used again after 1.003 s",
		},
		{ // what every teardown has is not worth a word
			teardown.Trial{
				Outcome:         teardown.Retransmitted,
				Retransmissions: []teardown.Retransmission{again(204 * ms)},
				Waits:           map[segment.Side][]teardown.Wait{segment.Server: {{Timer: "probe", Took: 204 * ms}}},
				Paths:           map[segment.Side][]teardown.Step{segment.Server: {step("FIN_WAIT2", 0), step("TIME_WAIT", 40*ms)}},
			},
			"s: retransmitted (rto)",
		},
	} {
		if got := (Entry{Name: "s", Trial: &c.trial}).Summary(); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
