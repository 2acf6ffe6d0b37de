package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	// screenRows is how many scenarios a table can have and still be read at the end
	// of a run, on one screen with what is said below it.
	screenRows = 24
	// summaryLines is how many lines the groups of what changed can have, and
	// summaryWidth how long a line can be.
	summaryLines = 24
	summaryWidth = 118
	// groupLines is how many lines a group has at most.
	groupLines = 4
)

// WriteSummary writes what has to be known at the end of a run, on one screen: the
// table, where it is short, or what changed, and the verdicts last. The whole of it is
// in WriteTable, WriteMarkdown and WriteHTML.
func (r Run) WriteSummary(w io.Writer) error {
	grid := r.grid()
	if len(grid)-1 <= screenRows {
		return r.writeTable(w, grid, Comparison.Counts)
	}
	var out strings.Builder
	for _, record := range r.Records {
		if record.Incomplete != "" {
			fmt.Fprintf(&out, "%v: the run is incomplete: %s\n", record.Kernel, record.Incomplete)
		}
		if len(r.Comparisons) == 0 {
			fmt.Fprintf(&out, "%v: %s\n", record.Kernel, record.counted())
		}
	}
	for i := range r.Comparisons {
		lines := summaryLines / len(r.Comparisons)
		if lines < groupLines+1 {
			break // there is room for the verdicts alone
		}
		for _, line := range r.changes(i+1, lines) {
			fmt.Fprintln(&out, line)
		}
	}
	for _, c := range r.Comparisons {
		fmt.Fprintln(&out, c.Counts())
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// changes are the groups of what changed on the i-th kernel in so many lines, and one
// that says what was left out.
func (r Run) changes(i, lines int) (out []string) {
	groups := r.groups(i)
	for n, g := range groups {
		text := g.inLines()
		if len(out) > 0 && len(out)+len(text) > lines {
			rest := 0
			for _, left := range groups[n:] {
				rest += len(left.Names)
			}
			return append(out, fmt.Sprintf("and %d scenarios more that are not the same", rest))
		}
		out = append(out, text...)
	}
	return out
}

// inLines are the group's scenarios, and what was and is with them; in one line where
// there was no waiting, as with behaviours.
func (g group) inLines() []string {
	took, takes := between(g.Took), between(g.Takes)
	head := fmt.Sprintf("%d %s: %s", len(g.Names), g.Change, fewer(g.Patterns))
	if took == "" && takes == "" {
		return []string{clip(fmt.Sprintf("%s: %s, now %s", head, g.Before, g.After))}
	}
	took, takes = cmp.Or(took, "not closed"), cmp.Or(takes, "not closed")
	columns := max(len(took), len(takes))
	lines := []string{
		clip(head),
		clip(fmt.Sprintf("  was  %-*s  %s", columns, took, g.Before)),
		clip(fmt.Sprintf("  now  %-*s  %s", columns, takes, g.After)),
	}
	if evidence := g.evidence(); evidence != "" {
		lines = append(lines, clip("  "+evidence))
	}
	return lines
}

// fewer lists as many patterns as fit on a line.
func fewer(patterns []string) string {
	text := ""
	for i, pattern := range patterns {
		if more := len(patterns) - i; i > 0 && len(text)+len(pattern) > summaryWidth-32 {
			return fmt.Sprintf("%s and %d more", text, more)
		}
		if i > 0 {
			text += ", "
		}
		text += pattern
	}
	return text
}

// clip cuts a line that is too long for a screen.
func clip(line string) string {
	if runes := []rune(line); len(runes) > summaryWidth {
		return string(runes[:summaryWidth-3]) + "..."
	}
	return line
}

// counted says how many scenarios of a record ended in which way.
func (r *Record) counted() string {
	counts := map[string]int{}
	var order []string
	for _, s := range r.Scenarios {
		way := string(s.Outcome)
		switch {
		case s.Error != "", s.Skipped != "", s.Outcome == "" && s.Observed == "":
			way = s.outcome()
		case s.Observed != "":
			way = "observed"
		}
		if counts[way]++; counts[way] == 1 {
			order = append(order, way)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return counts[b] - counts[a] })
	for i, way := range order {
		order[i] = fmt.Sprintf("%d %s", counts[way], way)
	}
	return strings.Join(order, ", ")
}
