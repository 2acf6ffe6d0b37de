package scenario_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// overtakenFIN is the case finwait was made for, certain and on any kernel.
var overtakenFIN = scenario.Scenario{
	Name: "overtaken-fin/server-shutdown/ipv4/wire", Family: topologies.IPv4,
	Server: scenario.Behaviour{Closing: sock.ShutdownWrite},
	Disturbance: scenario.Wire(
		[]teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}},
		"hold client fin until client ack-of-fin"),
}

func TestRepeatYieldsEachTrial(t *testing.T) {
	t.Parallel()
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		s := overtakenFIN
		s.Family = family
		played := 0
		for trial, err := range scenario.Repeat(t.Context(), s, 20, 4) {
			if err != nil {
				t.Fatal(err)
			}
			played++
			if trial.Outcome == teardown.Inconclusive || len(trial.Overtook) != 1 {
				t.Errorf("over %s: %s %q %v", family, trial.Outcome, trial.Why, trial.Overtook)
			}
		}
		if played != 20 {
			t.Errorf("over %s: %d trials were played, want 20", family, played)
		}
	}
}

// Nothing of a trial may be seen in the next one in the same lab.
func TestTrialsInOneLabDoNotDiffer(t *testing.T) {
	t.Parallel()
	var first teardown.Trial
	played := 0
	for trial, err := range scenario.Repeat(t.Context(), overtakenFIN, 10, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if played++; played == 1 {
			first = trial
		}
		for _, s := range segment.Sides {
			now, then := trial.Exchange.End(s), first.Exchange.End(s)
			if len(now.Sightings) != len(then.Sightings) || now.State != then.State {
				t.Errorf("trial %d: the %v saw %d segments and ended in %s, in the first trial %d and %s",
					played, s, len(now.Sightings), now.State, len(then.Sightings), then.State)
			}
			if at := now.Sightings[0].At; !now.Sightings[0].Flags.Has(segment.SYN) || at < 0 {
				t.Errorf("trial %d: the %v's recording begins with %v, %v after its beginning", played, s, now.Sightings[0].Segment, at)
			}
		}
	}
}

func TestRepeatStopsWhenTold(t *testing.T) {
	t.Parallel()
	played := 0
	for _, err := range scenario.Repeat(t.Context(), overtakenFIN, 1000, 2) {
		if err != nil {
			t.Fatal(err)
		}
		if played++; played == 3 {
			break
		}
	}
}

func TestRepeatEndsWithItsFirstError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failures []error
	played := 0
	for _, err := range scenario.Repeat(ctx, overtakenFIN, 1000, 2) {
		if played++; played == 3 {
			cancel()
		}
		if err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) != 1 || !errors.Is(failures[0], context.Canceled) || played == 1000 {
		t.Errorf("after %d trials: %v", played, failures)
	}
}

// BenchmarkRepeat also tells what it costs to write down what the kernels say: the
// rounds with and without it take turns.
func BenchmarkRepeat(b *testing.B) {
	for name, sideBySide := range map[string]int{"one at a time": 1, "side by side": 0} {
		b.Run(name, func(b *testing.B) {
			playMany(b, b.N, sideBySide)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trials/s")
		})
	}
	b.Run("unobserved", func(b *testing.B) {
		const round = 200
		var took [2]time.Duration // unobserved, observed
		for b.Loop() {
			for i, attending := range []bool{false, true} {
				scenario.Attending(attending)
				begin := time.Now()
				playMany(b, round, 0)
				took[i] += time.Since(begin)
			}
		}
		b.ReportMetric(100*(1-took[0].Seconds()/took[1].Seconds()), "%cost")
		b.ReportMetric(float64(round*b.N)/took[0].Seconds(), "trials/s-unobserved")
		b.ReportMetric(float64(round*b.N)/took[1].Seconds(), "trials/s-observed")
	})
}

func playMany(b *testing.B, n, sideBySide int) {
	for trial, err := range scenario.Repeat(b.Context(), overtakenFIN, n, sideBySide) {
		if err != nil {
			b.Fatal(err)
		}
		if trial.Outcome == teardown.Inconclusive {
			b.Errorf("inconclusive: %q", trial.Why)
		}
	}
}
