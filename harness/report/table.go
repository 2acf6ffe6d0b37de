package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/finwait/finwait/harness/teardown"
)

// A Run is what gate run and gate compare come to.
type Run struct {
	// Records are those of the kernels, the baseline's first.
	Records []*Record
	// Comparisons hold the first record against each of the others, in their
	// order; there are none where there is no baseline.
	Comparisons []Comparison
}

// NewRun compares the first record with each of the others, if it is a
// baseline.
func NewRun(records []*Record, baseline bool) Run {
	r := Run{Records: records}
	if baseline {
		for _, candidate := range records[1:] {
			r.Comparisons = append(r.Comparisons, Compare(records[0], candidate))
		}
	}
	return r
}

// grid is the run as a table of scenarios and kernels: the first row is the
// heading.
func (r Run) grid() [][]string { return r.gridOf(names(r.Records...)) }

// gridOf is the part of the grid that is about some scenarios.
func (r Run) gridOf(names []string) [][]string {
	heading := []string{"scenario"}
	for _, record := range r.Records {
		heading = append(heading, record.Kernel.String())
	}
	grid := [][]string{heading}
	for _, name := range names {
		row := []string{name}
		for i, record := range r.Records {
			cell := record.find(name).inShort()
			if change := r.change(i, name); change == Improved || change == Regressed || change == Differs {
				cell += ", " + string(change)
			}
			row = append(row, cell)
		}
		grid = append(grid, row)
	}
	return grid
}

// change is what became of a scenario in the i-th record; nothing can be said
// of the baseline's.
func (r Run) change(i int, name string) Change {
	if i == 0 || i > len(r.Comparisons) {
		return ""
	}
	return r.Comparisons[i-1].row(name).Change
}

// Summary is the entry in a line.
func (e Entry) Summary() string {
	s := e.alone()
	if e.Trial != nil {
		s.Outcome = e.Trial.Outcome
		s.Trials = append(s.Trials, *e.Trial)
	}
	summary := e.Name + ": " + s.inShort()
	if e.Trial != nil {
		for _, wait := range waits(*e.Trial) {
			summary += "; " + wait
		}
	}
	return summary
}

// inShort is the scenario's outcome and the latency of the end that took longer:
// over several trials the minimum, the median, the 90th percentile and the
// maximum.
func (s Scenario) inShort() string {
	took, ok := distribute(s.Trials).slower()
	switch {
	case !ok:
		return s.outcome()
	case len(s.Trials) == 1:
		return s.outcome() + " " + milliseconds(took.Median)
	}
	return s.outcome() + " " + milliseconds(took.Min, took.Median, took.P90, took.Max)
}

// milliseconds is "1.9/2.0/2.4 ms".
func milliseconds(durations ...time.Duration) string {
	var parts []string
	for _, d := range durations {
		parts = append(parts, fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)))
	}
	return strings.Join(parts, "/") + " ms"
}

// outcome is the scenario's outcome in a word, with the timers behind its
// retransmissions; for a race and for several trials, how many of them ended in
// which way; and how much else that is wanted of them they did not show.
func (s Scenario) outcome() string {
	switch {
	case s.Error != "":
		return "failed"
	case s.Skipped != "":
		return "skipped"
	case len(s.Observations) > 0:
		return s.answered()
	case s.Outcome == "":
		return "not played"
	}
	counts := distribute(s.Trials).Outcomes
	var parts []string
	for _, o := range [...]teardown.Outcome{
		teardown.Clean, teardown.Retransmitted, teardown.Reset, teardown.TimedOut, teardown.Stuck, teardown.Inconclusive,
	} {
		if counts[o] == 0 {
			continue
		}
		part := string(o)
		if s.Race || len(s.Trials) > 1 {
			part = fmt.Sprintf("%s %d", o, counts[o])
		}
		if timers := s.timers(); o == teardown.Retransmitted && len(timers) > 0 {
			part += " (" + strings.Join(timers, "+") + ")"
		}
		parts = append(parts, part)
	}
	if n := len(s.unmet()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d unmet", n))
	}
	return strings.Join(parts, ", ")
}

// timers are those that sent something again, each once.
func (s Scenario) timers() []string {
	var timers []string
	for _, t := range s.Trials {
		for _, again := range t.Retransmissions {
			if timer := string(again.Timer); timer != "" && !slices.Contains(timers, timer) {
				timers = append(timers, timer)
			}
		}
	}
	return timers
}

// WriteTable writes the run for a terminal: the table, then what has to be
// said of single scenarios, then the verdicts.
func (r Run) WriteTable(w io.Writer) error { return r.writeTable(w, r.grid(), Comparison.Summary) }

func (r Run) writeTable(w io.Writer, grid [][]string, sum func(Comparison) string) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range grid {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, remark := range r.remarks() {
		fmt.Fprintln(w, remark)
	}
	for _, c := range r.Comparisons {
		fmt.Fprintln(w, sum(c))
	}
	return nil
}

// remarks say how the table is to be read and, once for each reason, what was
// not played or not conclusive, and why.
func (r Run) remarks() []string {
	var remarks []string
	has := func(is func(Scenario) bool) bool {
		return slices.ContainsFunc(r.Records, func(record *Record) bool { return slices.ContainsFunc(record.Scenarios, is) })
	}
	if has(func(s Scenario) bool { return len(s.Trials) > 1 }) {
		remarks = append(remarks, "several trials: how many ended in which way, and the minimum/median/90th percentile/maximum latency of the end that took longer")
	}
	remarks = append(remarks, r.remarksOnRecords()...)
	for _, c := range r.Comparisons {
		for _, row := range c.Rows {
			if row.evidence != "" && row.Change != Same {
				remarks = append(remarks, fmt.Sprintf("%v: %s: %s: %s", c.Candidate, row.Name, row.Change, row.evidence))
			}
		}
	}
	return remarks
}

// remarksOnRecords say of each record what has to be known of its kernel, and what was
// not played or not conclusive, and why.
func (r Run) remarksOnRecords() (remarks []string) {
	for _, record := range r.Records {
		for _, note := range record.Kernel.Notes {
			remarks = append(remarks, fmt.Sprintf("%v: %s", record.Kernel, note))
		}
		for _, source := range slices.Sorted(maps.Keys(record.Unheard)) {
			remarks = append(remarks, fmt.Sprintf("%v: not listened to: %s: %s", record.Kernel, source, record.Unheard[source]))
		}
		if first := r.Records[0]; record.Clock != first.Clock {
			remarks = append(remarks, fmt.Sprintf("%v ran on the %s clock, %v on the %s clock: do not compare their latencies",
				first.Kernel, first.Clock, record.Kernel, record.Clock))
		}
		if record.Incomplete != "" {
			remarks = append(remarks, fmt.Sprintf("%v: the run is incomplete: %s", record.Kernel, record.Incomplete))
		}
		var reasons []string
		scenarios := map[string][]string{}
		for _, s := range record.Scenarios {
			var why string
			switch {
			case s.unjudged() && s.Skipped == "":
				why = race
			case s.Error != "", s.Skipped != "", s.Outcome == teardown.Inconclusive:
				why = s.outcome() + " because " + s.whyNot()
			case s.asksBehaviour() && s.Observed == "":
				why = string(Unknown) + " because " + s.whyNot()
			default:
				continue
			}
			if scenarios[why] == nil {
				reasons = append(reasons, why)
			}
			scenarios[why] = append(scenarios[why], s.Name)
		}
		for _, s := range record.Scenarios {
			for _, wish := range s.unmet() {
				remarks = append(remarks, fmt.Sprintf("%v: %s: it was %s, and did not", record.Kernel, s.Name, wish))
			}
		}
		for _, why := range reasons {
			remarks = append(remarks, fmt.Sprintf("%v: %s: %s", record.Kernel, strings.Join(scenarios[why], ", "), why))
		}
	}
	return remarks
}

// Summary is the comparison in a sentence, with the scenarios that changed.
func (c Comparison) Summary() string {
	return c.sum(func(rows []Row) string {
		var names []string
		for _, row := range rows {
			names = append(names, row.Name)
		}
		return " (" + strings.Join(names, ", ") + ")"
	})
}

// Counts is the comparison in a sentence, with how many scenarios changed in which way.
func (c Comparison) Counts() string { return c.sum(func([]Row) string { return "" }) }

// counted are the changes in the order in which they are told, in words.
var counted = []struct {
	change Change
	words  string
	named  bool
}{
	{Regressed, "regressed", true},
	{Improved, "improved", true},
	{Unknown, "inconclusive", true},
	{Differs, "not the same, and neither wrong", true},
	{Same, "the same", false},
	{NotJudged, "not judged", false},
	{NotPlayed, "skipped on both", false},
}

func (c Comparison) sum(listed func([]Row) string) string {
	var parts []string
	for _, kind := range counted {
		rows := c.With(kind.change)
		if len(rows) == 0 {
			continue
		}
		part := fmt.Sprintf("%d %s", len(rows), kind.words)
		if kind.named {
			part += listed(rows)
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%s from %v to %v: %s", c.Verdict, c.Baseline, c.Candidate, strings.Join(parts, "; "))
}
