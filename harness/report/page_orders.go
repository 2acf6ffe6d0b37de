package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// Orders is what the explorer found to be different between two kernels.
type Orders struct {
	Baseline, Candidate string
	Verdict             Verdict
	// Sum says how many orders there are, and how many of them are not the same.
	Sum         string
	Differences []OrderDifference
	// Unknown says what keeps the comparison from being complete.
	Unknown []string
}

// An OrderDifference is an order that does not go the same way on both kernels.
type OrderDifference struct {
	Title string
	// Baseline and Candidate are its ladders, line by line; one is empty where that
	// kernel has no such order.
	Baseline, Candidate []string
}

// ordersShown is how many differences a page shows of two kernels. One mistake of a
// kernel's shows in dozens of orders, and the first of them tell it.
const ordersShown = 100

// An orderView is a comparison of the explorer's.
type orderView struct {
	Title, Verdict, Class, Sum string
	Parts                      []orderPart
	Left                       int
	Unknown                    []string
}

type orderPart struct {
	Title  string
	Ladder template.HTML
}

func orderViews(all []Orders) (views []orderView) {
	for _, o := range all {
		v := orderView{
			Title:   fmt.Sprintf("from %s to %s", o.Baseline, o.Candidate),
			Verdict: string(o.Verdict), Class: class(o.Verdict), Sum: o.Sum, Unknown: o.Unknown,
			Left: max(len(o.Differences)-ordersShown, 0),
		}
		for _, d := range o.Differences[:len(o.Differences)-v.Left] {
			var pair []way
			if len(d.Baseline) > 0 {
				pair = append(pair, way{observed: d.Baseline, kernels: []string{o.Baseline}})
			}
			if len(d.Candidate) > 0 {
				pair = append(pair, way{observed: d.Candidate, kernels: []string{o.Candidate}})
			}
			v.Parts = append(v.Parts, orderPart{d.Title, exchanges(pair)})
		}
		views = append(views, v)
	}
	return views
}

// WriteOrdersHTML writes a page that has nothing but what an exploration found.
func WriteOrdersHTML(w io.Writer, all []Orders) error {
	v := newPage()
	v.Orders = orderViews(all)
	worst := NoRegression
	var kernels []string
	for _, o := range all {
		if o.Verdict == Regression || o.Verdict == Undecided && worst == NoRegression {
			worst = o.Verdict
		}
		kernels = append(kernels, cmp.Or(o.Candidate, "a kernel without a name"))
	}
	v.Verdict, v.Class = string(worst), class(worst)
	v.Title = fmt.Sprintf("%s in every order: %s", worst, strings.Join(kernels, ", "))
	return pageTemplate.Execute(w, v)
}
