package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// A pageView is what the page's template is filled in with.
type pageView struct {
	Title, Policy string
	Style         template.CSS
	Script        template.JS

	Verdict string
	Class   string
	// Damage is what of the records could not be read.
	Damage     []string
	Candidates []candidateView
	Remarks    []string
	Story      *storyView
	Kernels    []kernelView
	Spreads    []spreadView
	Ticks      []tick
	Filters    []filterView
	Families   []familyView
	Compared   bool
	// Columns is how many the table of scenarios has.
	Columns int
	Orders  []orderView
}

// A candidateView is one comparison.
type candidateView struct {
	Verdict, Class      string
	Baseline, Candidate string
	Counts              []countView
	Shares              []shareView
	Groups              []groupView
}

// A countView is how many scenarios changed in one way.
type countView struct {
	Class, Mark, Words string
	N                  int
}

// A shareView is their share of all, as a part of a bar.
type shareView struct{ Class, X, Width string }

// A groupView is scenarios that changed alike.
type groupView struct {
	Class, Mark, Change string
	N                   int
	Before, After       string
	Took, Takes         string
	Patterns            string
	Evidence            string
	Names               []linkView
	// One is the only scenario, where there is but one.
	One *linkView
}

type linkView struct{ Name, Anchor string }

// A filterView is a change that the table can be narrowed down to.
type filterView struct {
	Change, Class, Mark string
	N                   int
}

// A familyView is the scenarios whose names begin alike.
type familyView struct {
	Name      string
	Scenarios []scenarioView
}

// newPage is a page with nothing on it.
func newPage() pageView {
	return pageView{
		Policy: policy(),
		Style:  template.CSS(pageStyle + drawingStyle()), // ours
		Script: template.JS(pageScript),                  // ours
	}
}

// page lays the run out.
func (r Run) page(beside Beside) pageView {
	v := newPage()
	v.Verdict, v.Class = string(r.Verdict()), class(r.Verdict())
	v.Remarks, v.Compared, v.Orders = r.remarks(), len(r.Comparisons) > 0, orderViews(beside.Orders)
	if !v.Compared && r.Verdict() == NoRegression {
		v.Verdict, v.Class = "played, and compared with nothing", "same"
	}
	for i := range r.Comparisons {
		v.Candidates = append(v.Candidates, r.candidateView(i+1))
	}
	for _, record := range r.Records {
		v.Kernels = append(v.Kernels, record.kernelView())
		for _, part := range record.Damage {
			v.Damage = append(v.Damage, fmt.Sprintf("%v: %s", record.Kernel, part))
		}
	}
	v.Columns = 1 + len(r.Records)
	v.Title = v.Verdict + ": " + strings.Join(r.sources(), ", ")
	v.Spreads, v.Ticks = r.spreads()
	v.Families, v.Filters = r.families(beside.Folders)
	v.Story = r.story()
	return v
}

func (r Run) sources() (sources []string) {
	for _, record := range r.Records {
		sources = append(sources, record.Kernel.Name())
	}
	return sources
}

func (r Run) candidateView(i int) candidateView {
	c := r.Comparisons[i-1]
	v := candidateView{
		Verdict: string(c.Verdict), Class: class(c.Verdict),
		Baseline: c.Baseline.String(), Candidate: c.Candidate.String(),
	}
	before := 0
	for _, kind := range counted {
		if n := len(c.With(kind.change)); n > 0 {
			v.Counts = append(v.Counts, countView{Class: class(kind.change), Mark: marks[kind.change], Words: kind.words, N: n})
			share := func(n int) string { return fmt.Sprintf("%.2f", 100*float64(n)/float64(len(c.Rows))) }
			v.Shares = append(v.Shares, shareView{class(kind.change), share(before), share(n)})
			before += n
		}
	}
	for _, g := range r.groups(i) {
		view := groupView{
			Class: class(g.Change), Mark: marks[g.Change], Change: string(g.Change), N: len(g.Names),
			Before: g.Before, After: g.After, Took: between(g.Took), Takes: between(g.Takes),
			Patterns: strings.Join(g.Patterns, ", "), Evidence: g.evidence(),
		}
		if view.Took != "" || view.Takes != "" {
			view.Took, view.Takes = cmp.Or(view.Took, "not closed"), cmp.Or(view.Takes, "not closed")
		}
		for _, name := range g.Names {
			view.Names = append(view.Names, linkView{name, anchor(name)})
		}
		if len(view.Names) == 1 {
			view.One = &view.Names[0]
		}
		v.Groups = append(v.Groups, view)
	}
	return v
}

// families are the table, and the changes that are in it.
func (r Run) families(folders []string) (families []familyView, filters []filterView) {
	counts := map[Change]int{}
	drawn := newDrawings()
	all := names(r.Records...)
	rows := r.views(all, folders)
	byUrgency := slices.Clone(rows)
	slices.SortStableFunc(byUrgency, func(a, b *scenarioView) int { return urgency(a.changes) - urgency(b.changes) })
	for _, row := range byUrgency {
		row.draw(r, drawn)
	}
	for i, name := range all {
		family := prefixes([]string{name}, 1)[0]
		if len(families) == 0 || families[len(families)-1].Name != family {
			families = append(families, familyView{Name: family})
		}
		last := &families[len(families)-1]
		last.Scenarios = append(last.Scenarios, *rows[i])
		for _, change := range rows[i].changes {
			counts[change]++
		}
	}
	for _, kind := range counted {
		if n := counts[kind.change]; n > 0 {
			filters = append(filters, filterView{string(kind.change), class(kind.change), marks[kind.change], n})
		}
	}
	return families, filters
}

// urgency is the order in which scenarios are drawn, while there is room in the page:
// the place of the first of their changes.
func urgency(changes []Change) int {
	for i, kind := range counted {
		if slices.Contains(changes, kind.change) {
			return i
		}
	}
	return len(counted)
}
