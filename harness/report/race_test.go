package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/teardown"
)

// raced is a record of one race.
func raced(source string, outcomes ...teardown.Outcome) *Record {
	r := New(Kernel{Source: source, Release: "1.2.3"}, "virtual")
	for _, o := range outcomes {
		mustAdd(r, Entry{Name: "so-linger", Expected: clean, Race: true, Trial: &teardown.Trial{Outcome: o}})
	}
	return r
}

func TestARaceIsCountedAndNeverJudged(t *testing.T) {
	for _, c := range []struct{ baseline, candidate outcomes }{
		{outcomes{clean}, outcomes{retransmitted}},
		{outcomes{retransmitted}, outcomes{clean}},
		{outcomes{clean}, outcomes{clean}},
		{outcomes{clean}, outcomes{inconclusive}},
		{outcomes{stuck, clean}, outcomes{clean, stuck, inconclusive}},
		{outcomes{clean}, outcomes{}}, // the guest died before it: the record says that it is incomplete
	} {
		old, candidate := raced("debian/old", c.baseline...), raced("debian/new", c.candidate...)
		expectVerdict(t, old, candidate, Undecided) // nothing was judged
		for _, r := range []*Record{old, candidate} {
			mustAdd(r, Entry{Name: "judged", Expected: clean, Trial: &teardown.Trial{Outcome: clean}})
		}
		expectVerdict(t, old, candidate, NoRegression)
		var junit bytes.Buffer
		if err := candidate.WriteJUnit(&junit); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(junit.String(), "<failure") || strings.Contains(junit.String(), "<error") {
			t.Errorf("%s: JUnit judges it:\n%s", c.candidate, &junit)
		}
	}
}

// expectVerdict wants it of the comparison, of the run, and of the candidate alone.
func expectVerdict(t *testing.T, old, candidate *Record, want Verdict) {
	t.Helper()
	run := NewRun([]*Record{old, candidate}, true)
	compared := run.Comparisons[0]
	if races := compared.With(NotJudged); compared.Verdict != want || len(races) != 1 || races[0].Name != "so-linger" {
		t.Errorf("%+v, want %s", compared, want)
	}
	alone := NewRun([]*Record{candidate}, false).Verdict()
	if run.Verdict() != want || alone != want {
		t.Errorf("the verdict is %s, of %+v alone %s, want %s", run.Verdict(), candidate.Scenarios, alone, want)
	}
}

// Where the harness fails, the race is not what failed.
func TestAHarnessThatFailsAtARaceIsNotForgiven(t *testing.T) {
	failed := raced("debian/new", clean)
	mustAdd(failed, Entry{Name: "so-linger", Expected: clean, Race: true, Error: "no descriptors left"})
	if got := Compare(raced("debian/old", clean), failed); got.Verdict != Undecided {
		t.Errorf("got %+v", got)
	}
	if got := NewRun([]*Record{failed}, false).Verdict(); got != Undecided {
		t.Errorf("alone it is %s", got)
	}
}

func TestARaceIsShownByItsCounts(t *testing.T) {
	var many outcomes
	for range 17 {
		many = append(many, clean)
	}
	many = append(many, retransmitted, retransmitted, retransmitted)
	run := NewRun([]*Record{raced("debian/old", many...), raced("debian/new", clean)}, true)
	var table, markdown bytes.Buffer
	if err := run.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := run.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"clean 17, retransmitted 3", "clean 1",
		"debian/old (1.2.3): so-linger: race: not judged",
		"1 not judged",
	} {
		if !strings.Contains(table.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("a table lacks %q:\n%s\n%s", want, &table, &markdown)
		}
	}
}
