package report

import (
	"slices"

	"github.com/finwait/finwait/harness/teardown"
)

// A Change is what became of a scenario from one kernel to another.
type Change string

// The changes.
const (
	Same      Change = "same"
	Improved  Change = "improved"
	Regressed Change = "regressed"
	// Differs: a behaviour is another one, and neither is wrong.
	Differs Change = "differs"
	// Unknown: on one of the two kernels the scenario was not conclusive, or
	// was not played.
	Unknown Change = "inconclusive"
	// NotJudged: scheduling decides the scenario, on at least one of the two.
	NotJudged Change = "not judged"
	// NotPlayed: neither kernel has what the scenario needs.
	NotPlayed Change = "skipped"
)

// A Verdict is what a comparison comes to.
type Verdict string

// The verdicts.
const (
	NoRegression Verdict = "no regression"
	Regression   Verdict = "regression"
	Undecided    Verdict = "inconclusive"
)

// A Comparison holds a candidate kernel against a baseline.
type Comparison struct {
	Baseline  Kernel  `json:"baseline"`
	Candidate Kernel  `json:"candidate"`
	Verdict   Verdict `json:"verdict"`
	Rows      []Row   `json:"scenarios"`
}

// A Row compares one scenario, or one behaviour.
type Row struct {
	Name      string           `json:"name"`
	Baseline  teardown.Outcome `json:"baseline,omitempty"`
	Candidate teardown.Outcome `json:"candidate,omitempty"`
	Change    Change           `json:"change"`
	// Why says what kept the row from being decided, or what beside the outcome
	// decided it.
	Why string `json:"why,omitempty"`
	// BaselineObserved and CandidateObserved are what was observed of a behaviour.
	BaselineObserved  string `json:"baseline_observed,omitempty"`
	CandidateObserved string `json:"candidate_observed,omitempty"`
}

// Compare holds candidate against baseline, scenario by scenario, each by the
// worst of its trials (see [Scenario]). The verdict is a Regression if any
// scenario regressed; otherwise it is Undecided if any scenario was, or if there
// is none that was played on both. A race has no part in it: where nothing else was
// played, nothing was judged. That a behaviour differs is no regression.
func Compare(baseline, candidate *Record) Comparison {
	c := Comparison{Baseline: baseline.Kernel, Candidate: candidate.Kernel, Verdict: NoRegression}
	for _, name := range names(baseline, candidate) {
		c.Rows = append(c.Rows, compare(baseline.find(name), candidate.find(name)))
	}
	has := func(change Change) bool {
		return slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Change == change })
	}
	switch {
	case has(Regressed):
		c.Verdict = Regression
	case has(Unknown), !has(Same) && !has(Improved) && !has(Differs), baseline.Incomplete != "", candidate.Incomplete != "":
		c.Verdict = Undecided
	}
	return c
}

// With returns the rows that changed in that way.
func (c Comparison) With(change Change) []Row {
	return slices.DeleteFunc(slices.Clone(c.Rows), func(r Row) bool { return r.Change != change })
}

func names(records ...*Record) []string {
	var all []string
	for _, r := range records {
		for _, s := range r.Scenarios {
			all = append(all, s.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// find returns the scenario of that name, or one that was not played.
func (r *Record) find(name string) Scenario {
	for _, s := range r.Scenarios {
		if s.Name == name {
			return s
		}
	}
	return Scenario{Name: name}
}

func compare(baseline, candidate Scenario) Row {
	row := Row{Name: baseline.Name, Baseline: baseline.Outcome, Candidate: candidate.Outcome}
	row.BaselineObserved, row.CandidateObserved = baseline.Observed, candidate.Observed
	switch {
	case baseline.Skipped != "" && candidate.Skipped != "":
		row.Change, row.Why = NotPlayed, candidate.Skipped
		return row
	case (baseline.Race || candidate.Race) && baseline.Error == "" && candidate.Error == "":
		row.Change, row.Why = NotJudged, race
		return row
	case !conclusive(baseline):
		row.Change, row.Why = Unknown, "baseline: "+baseline.whyNot()
		return row
	case !conclusive(candidate):
		row.Change, row.Why = Unknown, "candidate: "+candidate.whyNot()
		return row
	}
	if baseline.asksBehaviour() || candidate.asksBehaviour() {
		row.Change = Same
		if row.BaselineObserved != row.CandidateObserved {
			row.Change = Differs
		}
		return row
	}
	before, after := baseline.rank(baseline.Outcome), candidate.rank(candidate.Outcome)
	switch {
	case after > before:
		row.Change = Regressed
	case after < before:
		row.Change = Improved
	case len(candidate.unmet()) > 0 && len(baseline.unmet()) == 0:
		row.Change, row.Why = Regressed, "the candidate was "+candidate.unmet()[0]
	case len(candidate.unmet()) == 0 && len(baseline.unmet()) > 0:
		row.Change, row.Why = Improved, "the baseline was "+baseline.unmet()[0]
	default:
		row.Change = Same
	}
	return row
}

func conclusive(s Scenario) bool {
	return s.Error == "" && (s.Outcome != "" || s.Observed != "") && s.Outcome != teardown.Inconclusive
}

// unmet is what else than its outcome the scenario wants of a trial and one or more did
// not show, each once.
func (s Scenario) unmet() (wishes []string) {
	for _, t := range s.Trials {
		for _, wish := range t.Unmet {
			if !slices.Contains(wishes, wish) {
				wishes = append(wishes, wish)
			}
		}
	}
	return wishes
}

// race is why a scenario is not judged.
const race = "race: not judged"

// unjudged reports whether the scenario is a race. A harness that failed at one
// has failed all the same.
func (s Scenario) unjudged() bool { return s.Race && s.Error == "" }

// whyNot says why a scenario is not conclusive.
func (s Scenario) whyNot() string {
	switch {
	case s.Skipped != "":
		return s.Skipped
	case s.Error != "":
		return s.Error
	}
	if len(s.Observations) > 0 {
		return s.noAnswer()
	}
	for _, t := range s.Trials {
		if len(t.Why) > 0 {
			return t.Why[0]
		}
	}
	return "not played"
}
