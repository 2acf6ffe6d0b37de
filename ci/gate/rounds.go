package main

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/report"
)

// A round is one time that the suite is run, on each of the kernels.
type round struct {
	// names are the scenarios that are played; without any, all are.
	names  []string
	trials int
}

// focus is the round's scenarios as Ginkgo's --focus, which is held against the texts of
// a spec and of all that it is in.
func (r round) focus() string {
	if len(r.names) == 0 {
		return ""
	}
	var quoted []string
	for _, name := range r.names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	return "(^| )(" + strings.Join(quoted, "|") + ")$"
}

// rounds decide what is played how often. A scenario that looks worse on a candidate is
// played again, on all kernels, until what it did there is no chance, or no longer
// looks worse.
type rounds struct {
	// play plays a round on each kernel.
	play func(context.Context, round) error
	// unsettled are the scenarios of which more trials can tell what became of them.
	unsettled func() []string
	// played is how many trials each of the scenarios has, on each kernel, at least.
	played func(names []string) int
	// scenarios is how many there are, and begins how long the slowest kernel took to its
	// first spec in the last round.
	scenarios func() int
	begins    func() time.Duration
	now       func() time.Time
	say       func(string)
}

// Without a budget, what is unsettled is given up after so many trials, with which even one
// that went wrong is known to be less than one in a hundred; or before, where the next
// round would take minutes.
const (
	mostTrials  = 64 * report.Enough
	mostAtATime = 1000
)

// confirm plays each scenario so many times, and then again those that are unsettled: each
// time as many trials as they have, which is what report.Compare reckons with.
func (r rounds) confirm(ctx context.Context, trials int) error {
	if err := r.play(ctx, round{trials: trials}); err != nil {
		return err
	}
	for {
		names := r.unsettled()
		played := r.played(names)
		next := round{names, another(played)}
		costly := played >= report.Enough && next.trials*len(names) > mostAtATime
		if len(names) == 0 || played >= mostTrials || costly {
			return nil
		}
		if err := r.again(ctx, next); err != nil {
			return err
		}
		if r.played(names) == played {
			return nil // the kernel no longer plays them, and its record says why
		}
	}
}

// another is how many trials are played of a scenario that has so many.
func another(played int) int { return max(report.Enough, 2*played) - played }

// again plays some scenarios once more, and says so.
func (r rounds) again(ctx context.Context, next round) error {
	named := fmt.Sprintf("%d scenarios", len(next.names))
	if len(next.names) == 1 {
		named = next.names[0]
	}
	r.say(fmt.Sprintf("%s again, %d times on each kernel, to tell from chance what looks worse", named, next.trials))
	return r.play(ctx, next)
}

// spend plays rounds as long as they fit into the budget: first each scenario once; then
// those that are unsettled; and while there are none, all again, each time as many trials as
// there have been. How long a round takes is told by the last of its kind. The first
// round is whole and what looks worse in it is played Enough times, whatever that takes:
// there is no verdict on less.
func (r rounds) spend(ctx context.Context, budget time.Duration) error {
	begun := r.now()
	whole, err := r.measure(ctx, round{trials: 1}, r.play)
	if err != nil {
		return err
	}
	if spent := r.now().Sub(begun); spent > budget {
		r.say(fmt.Sprintf("--budget %v is less than it takes to play each scenario once, which was done: %v",
			budget, spent.Round(time.Second)))
	}
	part := whole
	for trials := 1; ; {
		left := budget - r.now().Sub(begun) - r.begins()
		names := r.unsettled()
		if len(names) > 0 {
			played := r.played(names)
			next := round{names, another(played)}
			if played >= report.Enough {
				next.trials = min(next.trials, fitting(left, part, len(names)))
			}
			if next.trials < 1 {
				break
			}
			if part, err = r.measure(ctx, next, r.again); err != nil {
				return err
			}
			if r.played(names) > played {
				continue
			}
			break // the kernel no longer plays them, and its record says why
		}
		next := round{trials: min(trials, fitting(left, whole, r.scenarios()))}
		if next.trials < 1 {
			break
		}
		r.say(fmt.Sprintf("all again, %s on each kernel", times(next.trials)))
		if whole, err = r.measure(ctx, next, r.play); err != nil {
			return err
		}
		trials += next.trials
	}
	r.sum(budget, r.now().Sub(begun))
	return nil
}

// measure plays a round, and tells how long a trial took of the host's time.
func (r rounds) measure(ctx context.Context, next round, play func(context.Context, round) error) (each time.Duration, err error) {
	begun := r.now()
	if err := play(ctx, next); err != nil {
		return 0, err
	}
	scenarios := len(next.names)
	if scenarios == 0 {
		scenarios = r.scenarios()
	}
	took := r.now().Sub(begun) - r.begins()
	return max(1, took/time.Duration(max(1, scenarios*next.trials))), nil
}

// fitting is how many trials of each of so many scenarios there is time for.
func fitting(left, each time.Duration, scenarios int) int {
	return int(left / (each * time.Duration(max(1, scenarios))))
}

// sum says how often each scenario was played, and what that is good for: what happens
// in a share s of all trials has shown itself once in n with a probability of 1-(1-s)^n.
func (r rounds) sum(budget, spent time.Duration) {
	n := r.played(nil)
	text := fmt.Sprintf("each scenario was played %s or more on each kernel, in %v of %v", times(n), spent.Round(time.Second), budget)
	if share := 1 - math.Pow(0.05, 1/float64(n)); n > 1 {
		text += fmt.Sprintf(": what happens in %.2g %% of the trials or more has shown itself, in 95 of 100 cases", 100*share)
	}
	r.say(text)
}

// times is "once", "3 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
