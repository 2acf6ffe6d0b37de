package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// figures are an end's latencies: of one trial, the one; of several, the minimum, the
// median, the 90th percentile and the maximum, what holds the median, and of how many.
func (s Scenario) figures(side segment.Side) string {
	spread, ok := distribute(s.Trials).Latency[side]
	switch {
	case !ok && len(s.Trials) > 0:
		return "not closed"
	case !ok:
		return ""
	case len(s.Trials) == 1:
		return milliseconds(spread.Median)
	}
	text := milliseconds(spread.Min, spread.Median, spread.P90, spread.Max)
	if spread.MedianHigh > 0 {
		text += ", the median in " + spread.interval()
	}
	if spread.Trials < len(s.Trials) {
		text += fmt.Sprintf(", %d of %d", spread.Trials, len(s.Trials))
	}
	return text
}

// A plot is so wide and so high, with a margin for the marks at its ends.
const (
	plotWidth  = 200
	plotMargin = 4
)

// plot draws each kernel's latencies on one scale: a mark a trial, the client's above
// the server's.
func (v *scenarioView) plot(scenarios []Scenario) {
	var longest time.Duration
	for _, s := range scenarios {
		for _, t := range s.Trials {
			for _, latency := range t.Latency {
				longest = max(longest, latency)
			}
		}
	}
	if longest == 0 {
		return
	}
	v.Longest = milliseconds(longest)
	for i, s := range scenarios {
		var out strings.Builder
		for _, side := range segment.Sides {
			var at []int
			for _, t := range s.Trials {
				if latency, closed := t.Latency[side]; closed {
					at = append(at, plotMargin+int(math.Round(float64(latency)/float64(longest)*(plotWidth-2*plotMargin))))
				}
			}
			drawLane(&out, at, 6+8*int(side), "p"+side.String()[:1])
		}
		if out.Len() > 0 {
			v.Cells[i].Plot = template.HTML(out.String()) // numbers and letters of ours
		}
	}
}

// drawLane draws one end's latencies: a thin line over all, a mark at each, a tall one
// at the median.
func drawLane(out *strings.Builder, at []int, y int, class string) {
	if len(at) == 0 {
		return
	}
	slices.Sort(at)
	median := at[(len(at)+1)/2-1]
	var path strings.Builder
	if at[0] < at[len(at)-1] {
		fmt.Fprintf(&path, "M%d %dH%d", at[0], y, at[len(at)-1])
	}
	fmt.Fprintf(&path, "M%d %dv6", median, y-3)
	var dots strings.Builder
	for _, x := range slices.Compact(at) {
		fmt.Fprintf(&dots, "M%d %dh0", x, y)
	}
	fmt.Fprintf(out, `<path class="%s l" d="%s"/><path class="%s" d="%s"/>`, class, path.String(), class, dots.String())
}

// A spreadView is how long the connections of all scenarios took on one kernel.
type spreadView struct {
	Kernel                string
	N                     int
	Min, Median, P90, Max string
	// Plot is a path: a bar for each column that has any.
	Plot string
}

// A tick is a figure at the foot of the spreads.
type tick struct {
	X    int
	Text string
}

// The spreads' scale is logarithmic: from a tenth of a millisecond to a thousand
// seconds, so many bars a decade.
const (
	decades       = 7
	barsADecade   = 10
	spreadColumns = decades * barsADecade
	barWidth      = 8
	spreadHeight  = 40
)

// spreads draw, a kernel each, how many scenarios took how long: where a timer had to
// be waited for, there is a second hill.
func (r Run) spreads() (views []spreadView, ticks []tick) {
	var most float64
	bars := make([][spreadColumns]int, len(r.Records))
	all := make([][]time.Duration, len(r.Records))
	for i, record := range r.Records {
		for _, s := range record.Scenarios {
			took, ok := distribute(s.Trials).slower()
			if !ok {
				continue
			}
			all[i] = append(all[i], took.Median)
			column := int(math.Log10(max(float64(took.Median)/1e5, 1)) * barsADecade)
			n := &bars[i][min(column, spreadColumns-1)]
			*n++
			most = max(most, math.Sqrt(float64(*n)))
		}
	}
	if most == 0 {
		return nil, nil
	}
	for i, record := range r.Records {
		v := spreadView{Kernel: record.Kernel.String(), N: len(all[i])}
		if v.N > 0 {
			s := spread(all[i])
			v.Min, v.Median, v.P90, v.Max = milliseconds(s.Min), milliseconds(s.Median), milliseconds(s.P90), milliseconds(s.Max)
		}
		var out strings.Builder
		for column, n := range bars[i] {
			if n > 0 {
				// The root keeps one scenario visible beside a hundred.
				high := max(int(math.Round(math.Sqrt(float64(n))/most*spreadHeight)), 2)
				fmt.Fprintf(&out, "M%d %dv-%dh%dv%dz", column*barWidth, spreadHeight, high, barWidth-1, high)
			}
		}
		v.Plot = out.String()
		views = append(views, v)
	}
	for i, text := range []string{"0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"} {
		ticks = append(ticks, tick{i * barsADecade * barWidth, text})
	}
	return views, ticks
}
