package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/teardown"
)

// What ends as it is to end, but not in the way it is to, has regressed if it did so
// before.
func TestWhatAScenarioWantsBesideItsOutcomeIsCompared(t *testing.T) {
	with := func(source string, unmet ...string) *Record {
		r := New(Kernel{Source: source}, "virtual")
		mustAdd(r, Entry{Name: "s", Expected: clean, Trial: &teardown.Trial{Outcome: clean, Unmet: unmet}})
		return r
	}
	good, bad := with("debian/old"), with("debian/new", "to double", "to be quick")
	for _, c := range []struct {
		baseline, candidate *Record
		change              Change
		verdict             Verdict
	}{
		{good, good, Same, NoRegression},
		{good, bad, Regressed, Regression},
		{bad, good, Improved, NoRegression},
		{bad, bad, Same, NoRegression},
	} {
		got := Compare(c.baseline, c.candidate)
		if got.Rows[0].Change != c.change || got.Verdict != c.verdict {
			t.Errorf("from %v to %v: %+v", c.baseline.Kernel, c.candidate.Kernel, got)
		}
	}
	// An outcome that is worse is worse, whatever else is met.
	worse := record("debian/new", map[string][]teardown.Outcome{"s": {retransmitted}})
	if got := Compare(bad, worse); got.Verdict != Regression {
		t.Errorf("got %+v", got)
	}
	var junit strings.Builder
	if err := bad.WriteJUnit(&junit); err != nil || !strings.Contains(junit.String(), "it was to double, and to be quick, and did not") {
		t.Errorf("%v:\n%s", err, &junit)
	}
	run := NewRun([]*Record{good, bad}, true)
	if cell := run.grid()[1][2]; !strings.Contains(cell, "2 unmet") || !strings.HasSuffix(cell, "regressed") {
		t.Errorf("the table has %q", cell)
	}
	for _, wish := range []string{"to double", "to be quick"} {
		if !slices.Contains(run.remarks(), "debian/new: s: it was "+wish+", and did not") {
			t.Errorf("the remarks are %q", run.remarks())
		}
	}
}
