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

const s = time.Second

// waited is a trial in which the server waited by a timer, again and again, and was
// given up after that; each took a jiffy more than it was set to.
func waited(timer string, series ...time.Duration) teardown.Trial {
	jiffy := 4 * time.Millisecond
	t := teardown.Trial{
		Outcome:  teardown.TimedOut,
		GivenUp:  map[segment.Side]time.Duration{segment.Server: time.Hour},
		Waits:    map[segment.Side][]teardown.Wait{},
		Exchange: &teardown.Exchange{Jiffy: jiffy},
	}
	t.Exchange.Server.RTO = 204 * time.Millisecond
	at := time.Duration(0)
	for _, d := range series {
		t.Waits[segment.Server] = append(t.Waits[segment.Server], teardown.Wait{State: "FIN_WAIT1", Timer: timer, At: at, For: d, Took: d + jiffy})
		at += d + jiffy
	}
	return t
}

// rtos are RTOs of 204 ms, doubled.
func rtos(times ...int) (series []time.Duration) {
	for _, n := range times {
		series = append(series, min(time.Duration(n)*204*time.Millisecond, 2*time.Minute))
	}
	return series
}

// byTLP has the first of what was sent again be a probe.
func byTLP(t teardown.Trial) teardown.Trial {
	t.Retransmissions = []teardown.Retransmission{{From: segment.Server, Timer: teardown.TLP}}
	return t
}

// but changes one wait.
func but(t teardown.Trial, i int, change func(*teardown.Wait)) teardown.Trial {
	change(&t.Waits[segment.Server][i])
	return t
}

func TestWhatATimerTook(t *testing.T) {
	server := segment.Server
	late := func(w *teardown.Wait) { w.Took += 2049 * time.Millisecond }
	early := func(w *teardown.Wait) { w.Took = w.For - 6*time.Millisecond }
	longer := func(w *teardown.Wait) { w.For += 6 * time.Millisecond }
	for _, c := range []struct {
		name    string
		trial   teardown.Trial
		matcher types.GomegaMatcher
		want    bool
	}{
		{"a minute", waited("timewait", time.Minute), matchers.WaitFor(server, "timewait", time.Minute), true},
		{"by another timer", waited("keepalive", time.Minute), matchers.WaitFor(server, "timewait", time.Minute), false},
		{"once too often", waited("timewait", s, s), matchers.WaitFor(server, "timewait", s), false},
		{"not asked how long", waited("keepalive", 3*s, s), matchers.WaitFor(server, "keepalive", 0, s), true},
		{"two jiffies off", but(waited("timewait", s), 0, longer), matchers.WaitFor(server, "timewait", s), false},
		{"as late as the wheel is coarse", but(waited("timewait", time.Minute), 0, func(w *teardown.Wait) { w.Took = w.For + 2052*time.Millisecond }), matchers.WaitFor(server, "timewait", time.Minute), true},
		{"later", but(waited("timewait", time.Minute), 0, late), matchers.WaitFor(server, "timewait", time.Minute), false},
		{"early", but(waited("timewait", time.Minute), 0, early), matchers.WaitFor(server, "timewait", time.Minute), false},

		{"doubling", waited("retransmit", rtos(1, 2, 4, 8)...), matchers.BackOff(server, "retransmit"), true},
		{"a TLP doubles nothing", byTLP(waited("retransmit", rtos(1, 1, 2, 4)...)), matchers.BackOff(server, "retransmit"), true},
		{"an RTO does", waited("retransmit", rtos(1, 1, 2, 4)...), matchers.BackOff(server, "retransmit"), false},
		{"up to two minutes", waited("retransmit", rtos(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)...), matchers.BackOff(server, "retransmit"), true},
		{"one not doubled", waited("retransmit", rtos(1, 2, 4, 4, 8)...), matchers.BackOff(server, "retransmit"), false},
		{"one a jiffy and more off", but(waited("retransmit", rtos(1, 2, 4)...), 2, longer), matchers.BackOff(server, "retransmit"), false},
		{"one fired late", but(waited("retransmit", rtos(1, 2, 4)...), 1, late), matchers.BackOff(server, "retransmit"), false},
		{"nothing to double", waited("retransmit", rtos(1)...), matchers.BackOff(server, "retransmit"), false},
		{"another side", waited("retransmit", rtos(1, 2, 4)...), matchers.BackOff(segment.Client, "retransmit"), false},
		{"cut to what is left", waited("probe", append(rtos(1, 2, 4), 768*time.Millisecond)...), matchers.BackOffWithin(server, "probe", 2*s), true},
		{"not cut", waited("probe", rtos(1, 2, 4, 8)...), matchers.BackOffWithin(server, "probe", 2*s), false},

		{"given up in time", waited("retransmit", rtos(1, 2, 4, 8)...), matchers.GiveUpAfter(server, "retransmit", 2*s), true},
		{"too early", waited("retransmit", rtos(1, 2, 4)...), matchers.GiveUpAfter(server, "retransmit", 2*s), false},
		{"a wait too late", waited("retransmit", rtos(1, 2, 4, 8, 16)...), matchers.GiveUpAfter(server, "retransmit", 2*s), false},
		{"after its probes", waited("probe", rtos(1, 2, 4)...), matchers.GiveUpAfterProbes(server, 2), true},
		{"after more", waited("probe", rtos(1, 2, 4)...), matchers.GiveUpAfterProbes(server, 3), false},
		{"at the longest", waited("probe", rtos(256, 512, 1024)...), matchers.GiveUpAtLongestWait(server, "probe"), true},
		{"at the second of those", waited("probe", rtos(512, 1024, 2048)...), matchers.GiveUpAtLongestWait(server, "probe"), false},
		{"before", waited("probe", rtos(256, 512)...), matchers.GiveUpAtLongestWait(server, "probe"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := c.matcher.Match(c.trial); err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
			// Whatever is wrong with a wait, all of them are shown.
			text := c.matcher.FailureMessage(c.trial)
			if shown := strings.Count(text, "FIN_WAIT1"); shown != len(c.trial.Waits[segment.Server]) && c.name != "by another timer" && c.name != "another side" {
				t.Errorf("the failure shows %d waits:\n%s", shown, text)
			}
		})
	}
}

func TestWhoIsNotGivenUp(t *testing.T) {
	lasting := waited("probe", rtos(1, 2, 4, 8)...)
	lasting.GivenUp = nil
	for _, m := range []types.GomegaMatcher{
		matchers.GiveUpAfter(segment.Server, "probe", 2*s), matchers.GiveUpAfterProbes(segment.Server, 3), matchers.GiveUpAtLongestWait(segment.Server, "probe"),
	} {
		if got, err := m.Match(lasting); err != nil || got {
			t.Errorf("got %v, %v:\n%s", got, err, m.FailureMessage(lasting))
		}
	}
}

func TestHowLongAStateLasted(t *testing.T) {
	left := func(at, earlier time.Duration) teardown.Trial {
		return teardown.Trial{
			Outcome: teardown.Clean, Exchange: &teardown.Exchange{Jiffy: 4 * time.Millisecond},
			Paths: map[segment.Side][]teardown.Step{segment.Server: {
				{State: "FIN_WAIT2", At: s}, {State: "TIME_WAIT", At: 2 * s}, {State: "CLOSE", At: at, Earlier: earlier},
			}},
		}
	}
	for _, c := range []struct {
		trial teardown.Trial
		state string
		waits []time.Duration
		want  bool
	}{
		{left(62*s, 0), "TIME_WAIT", []time.Duration{time.Minute}, true},
		{left(64*s, 0), "TIME_WAIT", []time.Duration{time.Minute}, true},
		{left(65*s, 0), "TIME_WAIT", []time.Duration{time.Minute}, false},
		{left(65*s, s), "TIME_WAIT", []time.Duration{time.Minute}, true},
		{left(61*s, 0), "TIME_WAIT", []time.Duration{time.Minute}, false},
		{left(62*s, 0), "TIME_WAIT", []time.Duration{30 * s, 30 * s}, true},
		{left(62*s, 0), "FIN_WAIT2", []time.Duration{s}, true},
		{left(62*s, 0), "CLOSE", []time.Duration{0}, false},
		{left(62*s, 0), "LAST_ACK", []time.Duration{0}, false},
	} {
		m := matchers.StayIn(segment.Server, c.state, c.waits...)
		if got, err := m.Match(c.trial); err != nil || got != c.want {
			t.Errorf("%s for %v: got %v, %v", c.state, c.waits, got, err)
		}
	}
	through := left(62*s, 0)
	for _, c := range []struct {
		states []string
		want   bool
	}{
		{[]string{"FIN_WAIT2", "TIME_WAIT", "CLOSE"}, true},
		{[]string{"FIN_WAIT2", "TIME_WAIT"}, false},
		{[]string{"FIN_WAIT2", "CLOSING", "CLOSE"}, false},
	} {
		if got, err := matchers.PassThrough(segment.Server, c.states...).Match(through); err != nil || got != c.want {
			t.Errorf("%v: got %v, %v", c.states, got, err)
		}
	}
}

func TestWhenThePortIsFree(t *testing.T) {
	reopened := func(refused int, after time.Duration) teardown.Trial {
		return teardown.Trial{
			Outcome: teardown.Clean, Exchange: &teardown.Exchange{Jiffy: 4 * time.Millisecond},
			Reopened: &teardown.Reopening{Refused: refused, Opened: after},
		}
	}
	afterAMinute, withinASecond := matchers.ReopenAfterTimeWait(time.Minute), matchers.ReopenWithin(s)
	for _, c := range []struct {
		trial                       teardown.Trial
		afterAMinute, withinASecond bool
	}{
		{reopened(9, 60*s), true, false},
		{reopened(9, 62*s), true, false},
		{reopened(9, 63*s), false, false},
		{reopened(9, 59*s), false, false},
		{reopened(0, 61*s), false, false},
		{reopened(9, 900*time.Millisecond), false, true},
		{reopened(9, s+12*time.Millisecond), false, true},
		{reopened(9, s+13*time.Millisecond), false, false},
		{reopened(0, 0), false, true}, // the clock's second had just changed
	} {
		for m, want := range map[types.GomegaMatcher]bool{afterAMinute: c.afterAMinute, withinASecond: c.withinASecond} {
			if got, err := m.Match(c.trial); err != nil || got != want {
				t.Errorf("after %v and %d refusals: got %v, %v\n%s", c.trial.Reopened.Opened, c.trial.Reopened.Refused, got, err, m.FailureMessage(c.trial))
			}
		}
	}
	if got, err := withinASecond.Match(teardown.Trial{Outcome: teardown.Clean}); err != nil || got {
		t.Errorf("who did not try: got %v, %v", got, err)
	}
}
