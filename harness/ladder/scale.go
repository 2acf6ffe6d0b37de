package ladder

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/teardown"
)

// A scale turns the time between two events into the room between them.
type scale struct {
	// step is a typical time from one event to the next.
	step float64
}

const (
	// stepHeight is the room for a typical step, and foldedHeight that for the longest
	// which is still drawn to scale.
	stepHeight, foldedHeight = 8.0, 30.0
	// foldGrowth is how much higher a wait is drawn for being ten times as long: that
	// of 200 ms has to look longer than that of 60 ms, and one of 100 s has to fit.
	foldGrowth = 14.0
)

// momentsOf are when programs called and read, and segments left and arrived, in the
// order of time, counted from the first. States follow from those at once, and would
// make everything else look slow.
func momentsOf(events []teardown.Event) []time.Duration {
	var moments []time.Duration
	for _, m := range marksOf(events, make([]rung, len(events))) {
		if !m.rung.IsState {
			moments = append(moments, m.at)
		}
	}
	return moments
}

// scaleOf finds the scale for moments that are in order: of an exchange that takes
// microseconds as of one that takes minutes. The median does not care how long the
// few long waits are.
func scaleOf(exchanges ...[]time.Duration) scale {
	var steps []float64
	for _, moments := range exchanges {
		for i, at := range moments {
			if i > 0 && at > moments[i-1] {
				steps = append(steps, float64(at)-float64(moments[i-1]))
			}
		}
	}
	if len(steps) == 0 {
		return scale{step: float64(time.Millisecond)}
	}
	slices.Sort(steps)
	return scale{step: steps[len(steps)/2]}
}

// folds reports whether a wait is too long to be drawn to scale.
func (s scale) folds(wait float64) bool { return s.height(wait) > foldedHeight }

// height is the room for a wait.
func (s scale) height(wait float64) float64 {
	toScale := stepHeight * wait / s.step
	if toScale <= foldedHeight {
		return max(toScale, 0)
	}
	return foldedHeight + foldGrowth*math.Log10(toScale/foldedHeight)
}

// inShort writes a duration to four digits, in the unit that suits it.
func inShort(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := float64(d) / float64(unit.size); n >= 1 {
			digits := max(0, 3-int(math.Log10(n)))
			return fmt.Sprintf("%.*f %s", min(digits, 2), n, unit.name)
		}
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}
