package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/teardown"
)

// A Difference is an order that does not go the same way on two kernels.
type Difference struct {
	// Baseline and Candidate are the order on each. Where only one of them has
	// it, the other's is the one that goes along with it the longest, Common choices
	// long; nil where there is none.
	Baseline, Candidate *Line
	// Appeared is an order that only the candidate has, Vanished one that only the
	// baseline has: there an end answered differently, and what can come next is
	// not the same any more.
	Appeared, Vanished bool
	Common             int
}

// A Comparison is what is different between two maps.
type Comparison struct {
	// Changed, Appeared and Vanished are in the order of the maps.
	Changed, Appeared, Vanished []Difference
	// Unknown says what keeps the comparison from being complete.
	Unknown []string
}

// ranks are the outcomes, the better first.
var ranks = map[teardown.Outcome]int{teardown.Clean: 0, teardown.Retransmitted: 1, teardown.Reset: 2, teardown.Stuck: 3}

// Worse reports whether the candidate does worse: by the outcome, or by an invariant
// that it breaks and the baseline did not. Of an order that went in two ways nobody
// knows.
func (d Difference) Worse() bool {
	switch {
	case d.Candidate == nil:
		return false
	case d.Baseline == nil:
		return ranks[d.Candidate.Outcome] > 0 || len(d.Candidate.Broken) > 0
	}
	before, known := ranks[d.Baseline.Outcome]
	after, knows := ranks[d.Candidate.Outcome]
	return known && knows && (after > before || len(d.Candidate.Broken) > len(d.Baseline.Broken))
}

// Regressed reports whether any order does worse on the candidate.
func (c Comparison) Regressed() bool {
	return slices.ContainsFunc(slices.Concat(c.Changed, c.Appeared, c.Vanished), Difference.Worse)
}

// CompareMaps holds a candidate's map against a baseline's, line by line. Maps with
// different bounds cannot be compared, nor those of kernels for different architectures:
// what differs between them would be the processors' doing as well as the kernels'.
func CompareMaps(baseline, candidate *Map) (Comparison, error) {
	if b, c := baseline.architecture(), candidate.architecture(); b != c {
		return Comparison{}, fmt.Errorf("%s (%s) is a kernel for %s, and %s (%s) for %s: only maps of kernels for one architecture can be compared",
			baseline.Source, baseline.Release, b, candidate.Source, candidate.Release, c)
	}
	if baseline.Drops != candidate.Drops || baseline.Duplicates != candidate.Duplicates {
		return Comparison{}, fmt.Errorf("the baseline was explored with up to %d drops and %d duplicates, the candidate with up to %d and %d: explore both within the same bounds",
			baseline.Drops, baseline.Duplicates, candidate.Drops, candidate.Duplicates)
	}
	var c Comparison
	both := c.pairs(baseline, candidate)
	before, after := baseline.lines(both), candidate.lines(both)
	for i, j := 0, 0; i < len(before) || j < len(after); {
		order := 0
		switch {
		case i == len(before):
			order = 1
		case j == len(after):
			order = -1
		default:
			order = strings.Compare(before[i].key(), after[j].key())
		}
		switch {
		case order < 0:
			other, n := nearest(after, before[i])
			c.Vanished = append(c.Vanished, Difference{Baseline: before[i], Candidate: other, Vanished: true, Common: n})
			i++
		case order > 0:
			other, n := nearest(before, after[j])
			c.Appeared = append(c.Appeared, Difference{Baseline: other, Candidate: after[j], Appeared: true, Common: n})
			j++
		default:
			if before[i].String() != after[j].String() {
				c.Changed = append(c.Changed, Difference{Baseline: before[i], Candidate: after[j], Common: len(before[i].Order)})
			}
			i, j = i+1, j+1
		}
	}
	return c, nil
}

// architecture is what the kernel is for. There was only one before maps told.
func (m *Map) architecture() string { return cmp.Or(m.Arch, "amd64") }

// pairs are those that both maps have explored. What is not known of the others, or
// of these, it notes.
func (c *Comparison) pairs(baseline, candidate *Map) map[Pair]bool {
	both := map[Pair]bool{}
	for _, m := range []*Map{baseline, candidate} {
		other := baseline
		if m == baseline {
			other = candidate
		}
		for _, e := range m.Explored {
			if !slices.ContainsFunc(other.Explored, func(o Explored) bool { return o.Pair == e.Pair }) {
				c.Unknown = append(c.Unknown, fmt.Sprintf("%v: not explored on %s", e.Pair, other.Source))
				continue
			}
			both[e.Pair] = true
			if e.Covered < whole {
				c.Unknown = append(c.Unknown, fmt.Sprintf("%v: only %d.%02d%% of it explored on %s", e.Pair, e.Covered/100, e.Covered%100, m.Source))
			}
		}
		for _, l := range m.Lines {
			if l.Outcome == Nondeterministic {
				c.Unknown = append(c.Unknown, fmt.Sprintf("%v: nondeterministic on %s: %s", l.Pair, m.Source, text(l.Order)))
			}
		}
	}
	return both
}

// lines are those of some pairs.
func (m *Map) lines(pairs map[Pair]bool) []*Line {
	var lines []*Line
	for i := range m.Lines {
		if pairs[m.Lines[i].Pair] {
			lines = append(lines, &m.Lines[i])
		}
	}
	return lines
}

// nearest is the first of the lines that goes along with another for the longest, and
// for how many choices.
func nearest(lines []*Line, to *Line) (line *Line, common int) {
	common = -1
	for _, l := range lines {
		if l.Pair != to.Pair {
			continue
		}
		n := 0
		for n < min(len(l.Order), len(to.Order)) && l.Order[n] == to.Order[n] {
			n++
		}
		if n > common {
			line, common = l, n
		}
	}
	return line, max(common, 0)
}
