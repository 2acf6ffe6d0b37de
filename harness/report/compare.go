package report

import (
	"fmt"
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
	// BaselineShare and CandidateShare are how many of the conclusive trials were as bad
	// as From or worse: where the two kernels differ most, if they do. P is how
	// probable as great a difference is by chance.
	BaselineShare  *Share           `json:"baseline_share,omitempty"`
	CandidateShare *Share           `json:"candidate_share,omitempty"`
	From           teardown.Outcome `json:"from,omitempty"`
	P              float64          `json:"p,omitempty"`
	// Shifts are the times that moved.
	Shifts []Shift `json:"shifts,omitempty"`
	// BaselineObserved and CandidateObserved are what was observed of a behaviour.
	BaselineObserved  string `json:"baseline_observed,omitempty"`
	CandidateObserved string `json:"candidate_observed,omitempty"`

	// unsettled is true where more trials can change what became of the scenario.
	unsettled bool
	// evidence is the part of Why that is figures.
	evidence string
}

// Compare holds candidate against baseline, scenario by scenario: how their trials
// ended, by shares, and how long they took, by medians. The verdict is a Regression if any
// scenario regressed; otherwise it is Undecided if any scenario was, or if there
// is none that was played on both. A race has no part in it: where nothing else was
// played, nothing was judged. That a behaviour differs is no regression.
func Compare(baseline, candidate *Record) Comparison {
	c := Comparison{Baseline: baseline.Kernel, Candidate: candidate.Kernel, Verdict: NoRegression}
	all := names(baseline, candidate)
	f := family{scenarios: max(1, len(all)), sameClock: baseline.Clock == candidate.Clock}
	for _, name := range all {
		c.Rows = append(c.Rows, f.compare(baseline.find(name), candidate.find(name)))
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

// row is that of a scenario, or one without a change.
func (c Comparison) row(name string) Row {
	for _, r := range c.Rows {
		if r.Name == name {
			return r
		}
	}
	return Row{}
}

// Unsettled are the scenarios of which more trials can tell what became of them: those
// that look worse on the candidate, and have not been played often enough to say that
// it is no chance.
func (c Comparison) Unsettled() (names []string) {
	for _, r := range c.Rows {
		if r.unsettled {
			names = append(names, r.Name)
		}
	}
	return names
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

func (f family) compare(baseline, candidate Scenario) Row {
	row := Row{Name: baseline.Name, Baseline: baseline.Outcome, Candidate: candidate.Outcome}
	row.BaselineObserved, row.CandidateObserved = baseline.Observed, candidate.Observed
	switch {
	case baseline.Skipped != "" && candidate.Skipped != "":
		row.Change, row.Why = NotPlayed, candidate.Skipped
		return row
	case (baseline.Race || candidate.Race) && baseline.Error == "" && candidate.Error == "":
		row.Change, row.Why = NotJudged, race
		return row
	case !answered(baseline):
		row.Change, row.Why = Unknown, "baseline: "+baseline.whyNot()
		return row
	case !answered(candidate):
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
	row.take(f.judge(baseline, candidate), f, baseline, candidate)
	if f.sameClock && (row.Change == Same || row.Change == Improved) {
		row.takeShifts(f.shifts(baseline, candidate))
	}
	return row
}

// figures are the evidence, with what holds the shares.
func (r Row) figures() string {
	if r.evidence == "" || len(r.Shifts) > 0 || r.BaselineShare == nil {
		return r.evidence
	}
	return fmt.Sprintf("%s (%s, was %s)", r.evidence, r.CandidateShare.percent(), r.BaselineShare.percent())
}

// answered reports whether a scenario has a trial, or a behaviour its observations, from
// which something can be told.
func answered(s Scenario) bool {
	return conclusive(s) || s.Error == "" && slices.ContainsFunc(s.Trials, func(t teardown.Trial) bool {
		return t.Outcome != teardown.Inconclusive
	})
}

// take has the row say how the outcomes compare.
func (r *Row) take(j judgement, f family, baseline, candidate Scenario) {
	r.Change, r.unsettled = j.change, !j.settled
	r.BaselineShare, r.CandidateShare = &j.baseline, &j.candidate
	if j.from > 0 {
		r.From, r.P = j.outcome(), j.p
	}
	switch {
	case j.change == Unknown && j.settled && candidate.doubtful():
		r.Why = "candidate: " + candidate.whyNot()
		return
	case j.change == Unknown && j.settled:
		r.Why = "baseline: " + baseline.whyNot()
		return
	}
	r.evidence = j.why(f)
	switch r.Why = r.evidence; {
	case j.change == Same || j.from != lacking:
	case j.change == Improved:
		r.Why = wanted("baseline", baseline, r.Why)
	default:
		r.Why = wanted("candidate", candidate, r.Why)
	}
}

// wanted adds to what a row says what else one kernel's trials were to show, and did not.
func wanted(who string, s Scenario, why string) string {
	switch wishes := s.unmet(); {
	case len(wishes) == 0:
		return why
	case why == "":
		return fmt.Sprintf("the %s was %s", who, wishes[0])
	default:
		return fmt.Sprintf("the %s was %s: %s", who, wishes[0], why)
	}
}

// takeShifts has the row say what moved where the outcomes are no worse.
func (r *Row) takeShifts(shifts []Shift) {
	r.Shifts = shifts
	decides := worstShift(shifts)
	if decides == nil {
		return
	}
	if decides.change == Improved && r.Change == Improved {
		return // it ends better, which says more
	}
	r.Change, r.evidence = decides.change, decides.String()
	if decides.change == Unknown {
		r.unsettled = true
		r.evidence += ": chance cannot be ruled out; more trials would tell"
	}
	r.Why = r.evidence
}

// doubtful reports whether one of the trials was not conclusive.
func (s Scenario) doubtful() bool {
	return slices.ContainsFunc(s.Trials, func(t teardown.Trial) bool { return t.Outcome == teardown.Inconclusive })
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
