package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/finwait/finwait/harness/segment"
)

// Bounds say how far a search goes.
type Bounds struct {
	// Drops and Duplicates are how many segments may be lost and how many may
	// arrive again, in one order.
	Drops, Duplicates int
	// All has equivalent orders played too.
	All bool
}

const (
	// longest is how many choices an order may have. A teardown takes some ten;
	// two ends that answer each other for ever are found out.
	longest = 60
	// Most is how many executions a search may take.
	Most = 1_000_000
	// unasked is how many executions a search makes before it asks itself how many
	// there will be.
	unasked = 500
)

// A Search plays every order of a teardown, depth first: each execution begins anew,
// makes the choices that lead to what is not explored yet, and goes on from there.
// Every order within the bounds is played, or one that is equivalent to it, and none
// twice; what is found does not depend on how many executions run side by side.
//
// Of equivalent orders (see independent) one is played, by way of sleep sets
// (Godefroid, Partial-Order Methods for the Verification of Concurrent Systems,
// chapter 5): what was explored from a point need not be chosen after a choice that
// is independent of it.
type Search struct {
	Stage  Stage
	Bounds Bounds
	// Workers is how many executions run side by side; 0 is 1.
	Workers int
	// Found is told of each order as soon as it was played, and of the share of
	// the space that is explored by then. It is called by one goroutine at a
	// time; an error ends the search. nil is nobody.
	Found func(o Order, covered float64) error
}

// An Exploration is what a search has found.
type Exploration struct {
	// Orders are those played to their end, in the order of their choices.
	Orders []Order
	// Nondeterministic is where something was not the same when it was played
	// again. What lies behind such a point is not explored.
	Nondeterministic []Nondeterminism
	// Executions is how many were begun. CutShort of them turned out on the way to
	// lead only to what is equivalent to others.
	Executions, CutShort int
	// Saved is how many executions were not needed, since what they would have
	// shown is equivalent to what others have.
	Saved int
	// Covered is the share of the space that was explored, from 0 to 1, every
	// point being split evenly among what is explored from there.
	Covered float64
}

// A Nondeterminism is an order, or its beginning, that went in two ways.
type Nondeterminism struct {
	Order []Choice
	// First and Again are what happened, a line each.
	First, Again []string
}

// Complete reports whether everything within the bounds was explored.
func (x *Exploration) Complete() bool { return x.Covered == 1 }

// Run searches. What was found is returned also where the search ends early, with
// the reason: a *TooLarge, the context's end, or an error of the stage's.
func (s Search) Run(ctx context.Context) (*Exploration, error) {
	if s.Bounds.Drops < 0 || s.Bounds.Duplicates < 0 {
		return nil, fmt.Errorf("at most %d drops and %d duplicates: neither can be negative", s.Bounds.Drops, s.Bounds.Duplicates)
	}
	r := &run{Search: s}
	workers := max(s.Workers, 1)
	f := newFrontier(branch{weight: 1})
	err := f.drain(ctx, workers, unasked, r.explore)
	if err == nil && len(f.todo) > 0 {
		if err = s.refuseTooLarge(ctx, workers); err == nil {
			err = f.drain(ctx, workers, Most, r.explore)
		}
	}
	if err == nil && len(f.todo) > 0 {
		err = fmt.Errorf("the search took %d executions, more than was estimated, and is not through", r.found.Executions)
	}
	return r.result(), err
}

// A run is a search under way.
type run struct {
	Search
	mu    sync.Mutex
	found Exploration
	// covered are the weights of what was explored, and soFar is their sum.
	covered []float64
	soFar   float64
}

// result puts what was found into an order that does not depend on who found it.
func (r *run) result() *Exploration {
	x := &r.found
	slices.SortFunc(x.Orders, compareOrders)
	slices.SortFunc(x.Nondeterministic, func(a, b Nondeterminism) int {
		return slices.CompareFunc(a.Order, b.Order, Choice.Compare)
	})
	// The same numbers in the same order have the same sum. It is exact to some
	// 1e-10 with a million of them.
	slices.Sort(r.covered)
	for _, w := range r.covered {
		x.Covered += w
	}
	if x.Covered > 1-1e-9 {
		x.Covered = 1
	}
	x.Nondeterministic = append(x.Nondeterministic, contradictions(x.Orders)...)
	if !r.Bounds.All {
		all := -x.Executions
		for _, o := range x.Orders {
			all += int(o.Equivalents())
		}
		x.Saved = max(all, 0)
	}
	return x
}

// explore plays the branch's first order to its end, and returns what branches off
// on the way.
func (r *run) explore(ctx context.Context, b branch) ([]branch, error) {
	r.mu.Lock()
	r.found.Executions++
	r.mu.Unlock()
	e, err := r.Stage.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	w := &walk{execution: e, bounds: r.Bounds}
	var changed *nondeterminismError
	switch err := w.replay(ctx, b); {
	case errors.As(err, &changed):
		r.mu.Lock()
		defer r.mu.Unlock()
		r.found.Nondeterministic = append(r.found.Nondeterministic, changed.Nondeterminism)
		return nil, nil
	case err != nil:
		return nil, err
	}
	var more []branch
	for {
		awake := b.awake(w.at)
		if len(awake) == 0 {
			break
		}
		b.weight /= float64(len(awake))
		for i := len(awake) - 1; i > 0; i-- {
			more = append(more, w.at.branch(awake, i, b, r.Bounds))
		}
		b = w.at.branch(awake, 0, b, r.Bounds)
		if err := w.step(ctx, b.choice); err != nil {
			return nil, err
		}
	}
	var order Order
	over := len(w.at.enabled) == 0
	if over {
		if order, err = w.end(ctx); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.covered = append(r.covered, b.weight)
	r.soFar += b.weight
	if !over {
		r.found.CutShort++
		return more, nil
	}
	r.found.Orders = append(r.found.Orders, order)
	if r.Found != nil {
		err = r.Found(order, r.soFar)
	}
	return more, err
}

// awake are the choices to be explored at the point that a branch led to.
func (b branch) awake(n *node) []Choice {
	var awake []Choice
	for _, e := range n.enabled {
		if !slices.Contains(b.asleep, e.Choice) {
			awake = append(awake, e.Choice)
		}
	}
	return awake
}

// branch is what begins with the i-th of the choices that are explored from a
// point. Those before it fall asleep, as far as they are independent of it.
func (n *node) branch(awake []Choice, i int, from branch, bounds Bounds) branch {
	b := branch{from: n, choice: awake[i], weight: from.weight}
	if bounds.All {
		return b
	}
	for _, sleeper := range slices.Concat(from.asleep, awake[:i]) {
		if independent(sleeper, b.choice) {
			b.asleep = append(b.asleep, sleeper)
		}
	}
	return b
}

// contradictions are orders in which an end answered differently, or ended differently,
// than in another that was the same up to there as far as that end could notice. They
// refute what independence rests on, or show that the kernel is not deterministic.
func contradictions(orders []Order) []Nondeterminism {
	type answer struct {
		text string
		in   Order
	}
	known := map[string]answer{}
	var found []Nondeterminism
	for _, o := range orders {
		different := false
		for _, s := range segment.Sides {
			seen := s.String()
			learn := func(now string) bool {
				before, ok := known[seen]
				if !ok {
					known[seen] = answer{now, o}
				} else if before.text != now && !different {
					different = true
					found = append(found, Nondeterminism{o.Canonical().Choices(), before.in.account(), o.account()})
				}
				return !different
			}
			for _, m := range o.Moves {
				if m.Choice.Act == Drop || m.Choice.end() != s {
					continue
				}
				seen += "\n" + Move{Enabled: m.Enabled}.String()
				if !learn(m.String()) {
					break
				}
			}
			seen += "\nend"
			learn(o.Result.States[s])
		}
	}
	return found
}

// account is the order's trace and how it ended.
func (o Order) account() []string {
	end := string(o.Result.Outcome)
	for _, s := range segment.Sides {
		end += fmt.Sprintf(", %v %s", s, o.Result.States[s])
	}
	return append(o.Trace(), end)
}
