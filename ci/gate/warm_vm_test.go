//go:build vm

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// TestColdAndWarm plays the same in a guest that boots and in one that goes on from
// where it had booted. The two records tell the same story: what happened to each
// segment, in which states, by which timers. They differ in what has to differ: ports
// and sequence numbers, and the moments at which things happened, by what the
// kernel's timers may be late.
func TestColdAndWarm(t *testing.T) {
	play := func(how ...string) (*report.Record, string) {
		out := t.TempDir()
		args := append([]string{"run", "--label-filter", "overtaken-fin && ipv4 && !race", "--out", out}, how...)
		status, stdout, stderr := gate(t, append(args, "debian/bullseye")...)
		if status != exitRegression && status != exitNoRegression {
			t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
		}
		record, err := report.Load(filepath.Join(out, "debian-bullseye", "record.json"))
		if err != nil {
			t.Fatal(err)
		}
		return record, stdout
	}
	cold, said := play("--cold")
	if !strings.Contains(said, "(booted)") {
		t.Errorf("with --cold it did not boot:\n%s", said)
	}
	warm, said := play()
	if strings.Contains(said, "(booted)") { // there was nothing to go on from
		warm, said = play()
	}
	if !strings.Contains(said, "(resumed)") {
		t.Errorf("without --cold it boots again:\n%s", said)
	}
	if len(cold.Scenarios) < 40 || len(warm.Scenarios) != len(cold.Scenarios) {
		t.Fatalf("%d scenarios cold, %d warm", len(cold.Scenarios), len(warm.Scenarios))
	}
	for i, before := range cold.Scenarios {
		if after := warm.Scenarios[i]; !before.Race && essence(t, before) != essence(t, after) {
			t.Errorf("cold it is\n%s\nand warm\n%s", essence(t, before), essence(t, after))
		} else if !before.Race {
			expectSameDelays(t, before, after)
		}
	}
}

// expectSameDelays wants timers to have taken as long, but for a jiffy or what the
// timer wheel may add: an eighth of them (kernel/time/timer.c).
func expectSameDelays(t *testing.T, cold, warm report.Scenario) {
	t.Helper()
	for i, trial := range cold.Trials {
		for j, before := range trial.Retransmissions {
			after := warm.Trials[i].Retransmissions[j]
			beyond := (before.Delay - before.RTO) - (after.Delay - after.RTO)
			if beyond.Abs() > 2*jiffy+before.RTO/8 {
				t.Errorf("%s: %s came again after %v cold, and after %v warm", cold.Name, before.Segment, before.Delay, after.Delay)
			}
		}
	}
}

// essence is what has to be the same of a scenario however its guest came to be.
func essence(t *testing.T, s report.Scenario) string {
	t.Helper()
	type again struct {
		Segment string
		Timer   teardown.Timer
		Cause   teardown.Cause
	}
	var told []any
	for _, trial := range s.Trials {
		var resent []again
		for _, r := range trial.Retransmissions {
			resent = append(resent, again{r.Segment, r.Timer, r.Cause})
		}
		paths := map[segment.Side][]string{}
		for side, path := range trial.Paths {
			for _, step := range path {
				paths[side] = append(paths[side], step.State)
			}
		}
		told = append(told, trial.Outcome, resent, trial.ChallengeACKs, trial.Overtook, paths, trial.States, trial.Drops)
	}
	text, err := json.MarshalIndent([]any{s.Name, s.Expected, s.Outcome, s.Skipped, s.Error, told}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
