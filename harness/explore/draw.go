package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// Ladder draws an order from its first call on, and what came of it below: the client
// on the left, the server on the right, a rung for each choice.
func (l Line) Ladder() string { return strings.Join(l.rungs(), "") + l.end() }

// rungs are the choices, a line each; those of an order that went in two ways are told
// by its end.
func (l Line) rungs() []string {
	if l.Outcome == Nondeterministic {
		return nil
	}
	var rungs []string
	var called [2]int
	for i, c := range l.Order {
		e := teardown.Event{By: c.Side, IsSegment: c.Act != Call, Lost: c.Act == Drop}
		note := ""
		if c.Act == Call {
			e.Text = l.call(c.Side, called[c.Side])
			called[c.Side]++
		} else {
			e.Text = l.notation(c)
			note = l.note(i, c)
		}
		rungs = append(rungs, strings.TrimRight("  "+ladder.Rung(e)+"  "+note, " ")+"\n")
	}
	return rungs
}

// end is what came of the order.
func (l Line) end() string {
	if l.Outcome == Nondeterministic {
		return fmt.Sprintf("%s, after %q\n  first:\n    %s\n  again:\n    %s\n", l.Outcome, text(l.Order),
			strings.Join(l.Ways[0], "\n    "), strings.Join(l.Ways[1], "\n    "))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s; the client in %s, the server in %s\n", l.Outcome, l.States[segment.Client], l.States[segment.Server])
	for _, b := range l.Broken {
		fmt.Fprintf(&out, "  broken: %s\n", b)
	}
	return out.String()
}

// call is the n-th call of a side, of those that the pair names.
func (l Line) call(s segment.Side, n int) string {
	calls := strings.Split([]string{l.Client, l.Server}[s], ", ")
	return calls[min(n, len(calls)-1)]
}

// note says what is remarkable about the i-th choice.
func (l Line) note(i int, c Choice) string {
	switch {
	case c.Act == Drop:
		return "lost"
	case c.Act == Duplicate:
		return "a copy follows"
	case slices.Contains(l.Order[:i], Choice{Duplicate, c.Side, c.Number}):
		return "arrives again"
	}
	for _, before := range l.Order[:i] {
		if before.Side == c.Side && before.Act == Deliver && before.Number > c.Number {
			return fmt.Sprintf("overtaken by the %v", l.kind(before))
		}
	}
	return ""
}

// Ladder draws the order on both kernels, which go by these names: in one ladder where
// only the end differs, otherwise one below the other.
func (d Difference) Ladder(baseline, candidate string) string {
	var out strings.Builder
	switch {
	case d.Appeared:
		fmt.Fprintf(&out, "%v: only on %s\n", d.Candidate.Pair, candidate)
	case d.Vanished:
		fmt.Fprintf(&out, "%v: only on %s\n", d.Baseline.Pair, baseline)
	default:
		fmt.Fprintf(&out, "%v: changed\n", d.Baseline.Pair)
	}
	if d.Baseline != nil && d.Candidate != nil {
		before, end := d.Baseline.rungs(), d.Baseline.end()
		after, finish := d.Candidate.rungs(), d.Candidate.end()
		if slices.Equal(before, after) {
			fmt.Fprint(&out, strings.Join(after, ""), baseline+": "+end, candidate+": "+finish)
			return out.String()
		}
	}
	for _, l := range []struct {
		kernel string
		line   *Line
	}{{baseline, d.Baseline}, {candidate, d.Candidate}} {
		if l.line != nil {
			fmt.Fprintf(&out, "%s:\n%s", l.kernel, l.line.Ladder())
		}
	}
	return out.String()
}
