package report

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is the worst of the comparisons' verdicts: a regression before one
// that is inconclusive. Without a baseline there is nothing to regress from,
// and only what is not conclusive counts.
func (r Run) Verdict() Verdict {
	has := func(v Verdict) bool {
		return slices.ContainsFunc(r.Comparisons, func(c Comparison) bool { return c.Verdict == v })
	}
	switch {
	case has(Regression):
		return Regression
	case has(Undecided):
		return Undecided
	case len(r.Comparisons) == 0 && slices.ContainsFunc(r.Records, (*Record).undecided):
		return Undecided
	}
	return NoRegression
}

// undecided reports whether a scenario that the kernel could play was not
// conclusive.
func (r *Record) undecided() bool {
	return r.Incomplete != "" || slices.ContainsFunc(r.Scenarios, func(s Scenario) bool {
		return s.Skipped == "" && !conclusive(s)
	})
}

// A Gate is what gate.json holds: the verdict on a run.
type Gate struct {
	Schema      int          `json:"schema"`
	Verdict     Verdict      `json:"verdict"`
	Kernels     []Kernel     `json:"kernels"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// Gate sums the run up.
func (r Run) Gate() Gate {
	g := Gate{Schema: Schema, Verdict: r.Verdict(), Comparisons: r.Comparisons}
	for _, record := range r.Records {
		g.Kernels = append(g.Kernels, record.Kernel)
	}
	return g
}

// Summary is the entry in a line.
func (e Entry) Summary() string {
	s := Scenario{Name: e.Name, Skipped: e.Skipped, Error: e.Error}
	if e.Trial != nil {
		s.Outcome = e.Trial.Outcome
		s.Trials = append(s.Trials, *e.Trial)
	}
	line := e.Name + ": " + s.outcome()
	if took, ok := s.Latency(); ok {
		line += fmt.Sprintf(" %.1f ms", float64(took)/float64(time.Millisecond))
	}
	return line
}
