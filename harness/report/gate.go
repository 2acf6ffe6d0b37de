package report

import "slices"

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

// undecided reports whether a scenario that the kernel could play, and that is
// to be judged, was not conclusive, or whether there is none.
func (r *Record) undecided() bool {
	judged := slices.DeleteFunc(slices.Clone(r.Scenarios), func(s Scenario) bool { return s.Skipped != "" || s.unjudged() })
	return r.Incomplete != "" || len(judged) == 0 || slices.ContainsFunc(judged, func(s Scenario) bool { return !conclusive(s) })
}

// A Gate is what gate.json holds: the verdict on a run.
type Gate struct {
	Schema      int          `json:"schema"`
	Verdict     Verdict      `json:"verdict"`
	Kernels     []Played     `json:"kernels"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// Played is a kernel, and why its run ended early, if it did.
type Played struct {
	Kernel
	Incomplete string `json:"incomplete,omitempty"`
}

// Gate sums the run up.
func (r Run) Gate() Gate {
	g := Gate{Schema: Schema, Verdict: r.Verdict(), Comparisons: r.Comparisons}
	for _, record := range r.Records {
		g.Kernels = append(g.Kernels, Played{record.Kernel, record.Incomplete})
	}
	return g
}
