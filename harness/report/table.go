package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/teardown"
)

// A Run is what gate run and gate compare come to: a record for each kernel
// and, where there is a baseline, a comparison for each candidate.
type Run struct {
	// Records begin with the baseline's, if there is one.
	Records     []*Record
	Comparisons []Comparison
}

// grid is the run as a table of scenarios and kernels: the first row is the
// heading.
func (r Run) grid() [][]string {
	heading := []string{"scenario"}
	for _, record := range r.Records {
		heading = append(heading, record.Kernel.String())
	}
	grid := [][]string{heading}
	for _, name := range names(r.Records...) {
		row := []string{name}
		for _, record := range r.Records {
			row = append(row, r.cell(record, name))
		}
		grid = append(grid, row)
	}
	return grid
}

// cell is one scenario on one kernel: its outcome, its latency, and what
// changed.
func (r Run) cell(record *Record, name string) string {
	s := record.find(name)
	cell := s.outcome()
	if took, ok := s.Latency(); ok {
		cell += fmt.Sprintf(" %.1f ms", float64(took)/float64(time.Millisecond))
	}
	for _, c := range r.Comparisons {
		if c.Candidate != record.Kernel {
			continue
		}
		for _, row := range c.Rows {
			if row.Name == name && (row.Change == Improved || row.Change == Regressed) {
				cell += ", " + string(row.Change)
			}
		}
	}
	return cell
}

// outcome is the scenario's outcome in a word, with the timers behind its
// retransmissions.
func (s Scenario) outcome() string {
	switch {
	case s.Error != "":
		return "failed"
	case s.Skipped != "":
		return "skipped"
	case s.Outcome == "":
		return "not played"
	case s.Outcome != teardown.Retransmitted:
		return string(s.Outcome)
	}
	var timers []string
	for _, t := range s.Trials {
		for _, again := range t.Retransmissions {
			if timer := string(again.Timer); timer != "" && !strings.Contains(strings.Join(timers, "+"), timer) {
				timers = append(timers, timer)
			}
		}
	}
	return fmt.Sprintf("%s (%s)", s.Outcome, strings.Join(timers, "+"))
}

// WriteTable writes the run for a terminal: the table, then what has to be
// said of single scenarios, then the verdicts.
func (r Run) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range r.grid() {
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
		fmt.Fprintln(w, c.Summary())
	}
	return nil
}

// WriteMarkdown writes the run for a job summary or a comment: the verdicts,
// the table, and the ladders of what changed.
func (r Run) WriteMarkdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintln(&out, "# How these kernels end TCP connections")
	fmt.Fprintln(&out)
	for _, c := range r.Comparisons {
		fmt.Fprintf(&out, "**%s**\n\n", cellText(c.Summary()))
	}
	for i, row := range r.grid() {
		for j := range row {
			row[j] = cellText(row[j])
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&out, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	fmt.Fprintln(&out)
	for _, remark := range r.remarks() {
		fmt.Fprintf(&out, "- %s\n", cellText(remark))
	}
	for _, c := range r.Comparisons {
		r.writeLadders(&out, c)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeLadders shows, for each scenario that changed, the first trial on either
// kernel.
func (r Run) writeLadders(out *strings.Builder, c Comparison) {
	for _, row := range c.Rows {
		if row.Change != Improved && row.Change != Regressed {
			continue
		}
		fmt.Fprintf(out, "\n## %s %s\n", cellText(row.Name), row.Change)
		for _, k := range []Kernel{c.Baseline, c.Candidate} {
			for _, record := range r.Records {
				if trials := record.find(row.Name).Trials; record.Kernel == k && len(trials) > 0 {
					fmt.Fprintf(out, "\n%s\n\n```\n%s```\n", cellText(k.String()), ladder.Text(trials[0]))
					break
				}
			}
		}
	}
}

// cellText keeps what a record says from being taken for Markdown or HTML.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "\n", " ", "`", "'", "*", `\*`, "_", `\_`, "[", `\[`).Replace(s)
}

// remarks say, once for each reason, what was not played or not conclusive,
// and why.
func (r Run) remarks() []string {
	var remarks []string
	for _, record := range r.Records {
		if record.Incomplete != "" {
			remarks = append(remarks, fmt.Sprintf("%v: the run is incomplete: %s", record.Kernel, record.Incomplete))
		}
		var reasons []string
		scenarios := map[string][]string{}
		for _, s := range record.Scenarios {
			if s.Error == "" && s.Skipped == "" && s.Outcome != teardown.Inconclusive {
				continue
			}
			why := s.outcome() + " because " + s.whyNot()
			if scenarios[why] == nil {
				reasons = append(reasons, why)
			}
			scenarios[why] = append(scenarios[why], s.Name)
		}
		for _, why := range reasons {
			remarks = append(remarks, fmt.Sprintf("%v: %s: %s", record.Kernel, strings.Join(scenarios[why], ", "), why))
		}
	}
	return remarks
}

// Summary is the comparison in a sentence, with the scenarios that changed.
func (c Comparison) Summary() string {
	var parts []string
	for _, change := range []Change{Regressed, Improved, Unknown} {
		rows := c.With(change)
		if len(rows) == 0 {
			continue
		}
		var names []string
		for _, row := range rows {
			names = append(names, row.Name)
		}
		parts = append(parts, fmt.Sprintf("%d %s (%s)", len(rows), change, strings.Join(names, ", ")))
	}
	if same := len(c.With(Same)); same > 0 {
		parts = append(parts, fmt.Sprintf("%d the same", same))
	}
	return fmt.Sprintf("%s from %v to %v: %s", c.Verdict, c.Baseline, c.Candidate, strings.Join(parts, "; "))
}
