package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/report"
)

// mapFileName is the name of a kernel's map.
const mapFileName = "behaviour.map"

// ordersBeside are what gate explore left in the kernels' folders, where it explored the
// kernels of this run: a page shows both then. A map of another kernel, or one that
// cannot be compared, is left out.
func ordersBeside(folder string, r report.Run) (all []report.Orders) {
	if len(r.Comparisons) == 0 {
		return nil
	}
	baseline := mapBeside(folder, r.Records[0])
	for _, record := range r.Records[1:] {
		candidate := mapBeside(folder, record)
		if baseline == nil || candidate == nil {
			continue
		}
		if orders, err := ordersOf(baseline, candidate); err == nil {
			all = append(all, orders)
		}
	}
	return all
}

func mapBeside(folder string, record *report.Record) *explore.Map {
	m, err := loadMap(filepath.Join(folder, folderOf(record), mapFileName))
	if err != nil || m.Release != record.Kernel.Release {
		return nil
	}
	return m
}

// ordersOf holds a candidate's map against a baseline's, for a page.
func ordersOf(baseline, candidate *explore.Map) (report.Orders, error) {
	c, err := explore.CompareMaps(baseline, candidate)
	if err != nil {
		return report.Orders{}, err
	}
	orders := report.Orders{
		Baseline: named(baseline), Candidate: named(candidate), Verdict: verdictOf(c), Unknown: c.Unknown,
		Sum: fmt.Sprintf("Of %d orders, %d changed, %d appeared, and %d vanished; with up to %d drops and %d duplicates.",
			len(candidate.Lines), len(c.Changed), len(c.Appeared), len(c.Vanished), candidate.Drops, candidate.Duplicates),
	}
	for _, d := range slices.Concat(c.Changed, c.Appeared, c.Vanished) {
		difference := report.OrderDifference{Title: titleOf(d)}
		if d.Baseline != nil {
			difference.Baseline = lines(d.Baseline.Ladder())
		}
		if d.Candidate != nil {
			difference.Candidate = lines(d.Candidate.Ladder())
		}
		orders.Differences = append(orders.Differences, difference)
	}
	return orders, nil
}

func named(m *explore.Map) string { return fmt.Sprintf("%s (%s)", m.Source, m.Release) }

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// titleOf is a difference in a line.
func titleOf(d explore.Difference) string {
	switch {
	case d.Appeared:
		return fmt.Sprintf("%v: an order that only the candidate has, %s", d.Candidate.Pair, d.Candidate.Outcome)
	case d.Vanished:
		return fmt.Sprintf("%v: an order that only the baseline has, %s", d.Baseline.Pair, d.Baseline.Outcome)
	}
	return fmt.Sprintf("%v: %s, now %s", d.Baseline.Pair, d.Baseline.Outcome, d.Candidate.Outcome)
}

func verdictOf(c explore.Comparison) report.Verdict {
	switch {
	case c.Regressed():
		return report.Regression
	case len(c.Unknown) > 0:
		return report.Undecided
	}
	return report.NoRegression
}
