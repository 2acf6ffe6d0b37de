package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A storyView is the one change that a reader should see first, told with the
// scenario in which it shows best.
type storyView struct {
	Name, Anchor        string
	Class, Mark, Change string
	// Alike is how many scenarios changed in the same way.
	Alike int
	// Order says which segment overtook which.
	Order  []string
	Sides  []storySide
	Ladder ladderView
}

// A storySide is what happened on one kernel.
type storySide struct {
	Kernel, Outcome, Class, What, Took, Waited string
	// Bar is how long the slower end took, and Wait the part of it in which a
	// timer ran; both in hundredths of the longer of the two.
	Bar, Wait string
}

// story picks the largest group of regressions, or else of improvements, of the first
// comparison that has one; nil where nothing changed that can be drawn.
func (r Run) story() *storyView {
	for _, change := range []Change{Regressed, Improved} {
		for i := range r.Comparisons {
			for _, g := range r.groups(i + 1) {
				if g.Change != change {
					continue
				}
				if v := r.tell(i+1, g); v != nil {
					return v
				}
			}
		}
	}
	return nil
}

// tell tells of a group by its plainest scenario.
func (r Run) tell(i int, g group) *storyView {
	name := g.plainest()
	before, after := r.Records[0].find(name), r.Records[i].find(name)
	left, ok := before.way()
	right, also := after.way()
	if !ok || !also || left.trial == nil || right.trial == nil {
		return nil
	}
	left.kernels, right.kernels = []string{r.Records[0].Kernel.String()}, []string{r.Records[i].Kernel.String()}
	v := &storyView{
		Name: name, Anchor: anchor(name), Alike: len(g.Names),
		Class: class(g.Change), Mark: marks[g.Change], Change: string(g.Change),
		Ladder: ladderView{
			Ladder: ladders(name, []way{left, right}),
			Narrow: drawing(ladder.StackedSVG(name, panels([]way{left, right})...)),
		},
	}
	for _, o := range slices.Concat(left.trial.Overtook, right.trial.Overtook) {
		text := fmt.Sprintf("%v, on its way to the %v", o.Overtaking, o.At)
		if !slices.Contains(v.Order, text) {
			v.Order = append(v.Order, text)
		}
	}
	longest := max(slowest(*left.trial), slowest(*right.trial))
	v.Sides = []storySide{sideOf(before, left, longest), sideOf(after, right, longest)}
	return v
}

// slowest is how long the end that took longer took; zero where one did not close.
func slowest(t teardown.Trial) time.Duration {
	took, _ := distribute([]teardown.Trial{t}).slower()
	return took.Max
}

func sideOf(s Scenario, w way, longest time.Duration) storySide {
	t := *w.trial
	v := storySide{Kernel: w.kernels[0], Outcome: string(t.Outcome), Class: "bad", What: s.reason()}
	if t.Outcome == s.Expected {
		v.Class = "good"
	}
	took := slowest(t)
	if took == 0 || longest == 0 {
		v.Took = "not closed"
		return v
	}
	v.Took = milliseconds(took)
	waited, timers := waitsForTimers(t)
	waited = min(waited, took)
	if waited > 0 {
		v.Waited = milliseconds(waited) + " of it waiting for " + timers
	}
	share := func(d time.Duration) string { return fmt.Sprintf("%.1f", 100*float64(d)/float64(longest)) }
	v.Bar, v.Wait = share(took-waited), share(waited)
	return v
}

// waitsForTimers is how long the end that waited longer waited before it sent something
// again, and for which timers.
func waitsForTimers(t teardown.Trial) (waited time.Duration, timers string) {
	for _, side := range segment.Sides {
		var sum time.Duration
		var names []string
		for _, again := range t.Retransmissions {
			if again.From != side {
				continue
			}
			sum += again.Delay
			if name := cmp.Or(timerNames[again.Timer], "a timer"); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if sum > waited {
			waited, timers = sum, strings.Join(names, " and ")
		}
	}
	return waited, timers
}

// timerNames are the timers in words.
var timerNames = map[teardown.Timer]string{
	teardown.TLP:            "the tail loss probe",
	teardown.RTO:            "the retransmission timeout",
	teardown.FastRetransmit: "the fast retransmission",
}
