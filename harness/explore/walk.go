package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// A walk is an execution on its way, and where it is.
type walk struct {
	execution Execution
	bounds    Bounds
	at        *node
	opening   []Enabled
	moves     []Move
}

// A nondeterminismError ends the walk that found one.
type nondeterminismError struct{ Nondeterminism }

// Error implements error.
func (e *nondeterminismError) Error() string {
	return fmt.Sprintf("after %q another execution found other choices", text(e.Order))
}

// replay leads an execution that has just begun to where a branch goes on. What is
// possible on the way has to be what was possible when the way was first gone.
func (w *walk) replay(ctx context.Context, b branch) error {
	path := b.from.path()
	if len(path) == 0 {
		return w.look(ctx, &node{left: w.bounds})
	}
	for i, known := range path {
		if err := w.look(ctx, &node{parent: known.parent, via: known.via, left: known.left}); err != nil {
			return err
		}
		if !slices.Equal(w.at.enabled, known.enabled) {
			return &nondeterminismError{Nondeterminism{w.chosen(), w.possible(known.enabled), w.possible(w.at.enabled)}}
		}
		w.at = known
		next := b.choice
		if i+1 < len(path) {
			next = path[i+1].via
		}
		if err := w.perform(ctx, next); err != nil {
			return err
		}
	}
	return w.arrive(ctx, b.choice)
}

// step makes one more choice.
func (w *walk) step(ctx context.Context, c Choice) error {
	if err := w.perform(ctx, c); err != nil {
		return err
	}
	return w.arrive(ctx, c)
}

func (w *walk) perform(ctx context.Context, c Choice) error {
	if len(w.moves) == longest {
		return fmt.Errorf("an order does not end: %d choices have been made, and %q is possible", longest, c)
	}
	i := w.at.find(c)
	if i < 0 {
		return &impossibleError{c, w.chosen(), w.possible(w.at.enabled)}
	}
	if err := w.execution.Perform(ctx, c); err != nil {
		return fmt.Errorf("%v, after %q: %w", c, text(w.chosen()), err)
	}
	w.moves = append(w.moves, Move{Enabled: w.at.enabled[i]})
	return nil
}

// arrive is at a point that no execution has been at before.
func (w *walk) arrive(ctx context.Context, via Choice) error {
	n := &node{parent: w.at, via: via, left: w.at.left}
	switch via.Act {
	case Drop:
		n.left.Drops--
	case Duplicate:
		n.left.Duplicates--
	}
	return w.look(ctx, n)
}

// look finds out what is possible at the point that the walk has come to.
func (w *walk) look(ctx context.Context, n *node) error {
	all, err := w.execution.Enabled(ctx)
	if err != nil {
		return fmt.Errorf("what is possible after %q: %w", text(w.chosen()), err)
	}
	n.enabled = n.left.within(all)
	slices.SortFunc(n.enabled, func(a, b Enabled) int { return a.Choice.Compare(b.Choice) })
	sent := &w.opening
	if len(w.moves) > 0 {
		sent = &w.moves[len(w.moves)-1].Sent
	}
	for _, e := range n.enabled {
		if e.Choice.Act == Deliver && (w.at == nil || w.at.find(e.Choice) < 0) {
			*sent = append(*sent, e)
		}
	}
	w.at = n
	return nil
}

// within leaves out the faults that may not be chosen any more.
func (b Bounds) within(all []Enabled) []Enabled {
	return slices.DeleteFunc(slices.Clone(all), func(e Enabled) bool {
		return e.Choice.Act == Drop && b.Drops == 0 || e.Choice.Act == Duplicate && b.Duplicates == 0
	})
}

// end is the order that the walk has played, with the invariants checked.
func (w *walk) end(ctx context.Context) (Order, error) {
	o := Order{Opening: w.opening, Moves: w.moves}
	var err error
	if o.Result, err = w.execution.End(ctx); err != nil {
		return Order{}, fmt.Errorf("how it stands after %q: %w", text(w.chosen()), err)
	}
	broken, err := invariants(o)
	if err != nil {
		return Order{}, fmt.Errorf("after %q: %w", text(w.chosen()), err)
	}
	o.Result.Broken = append(o.Result.Broken, broken...)
	return o, nil
}

func (w *walk) chosen() []Choice { return Order{Moves: w.moves}.Choices() }

// possible is the way so far, and what can come next.
func (w *walk) possible(enabled []Enabled) []string {
	lines := Order{Moves: w.moves}.Trace()
	if len(enabled) == 0 {
		return append(lines, "possible: nothing")
	}
	for _, e := range enabled {
		lines = append(lines, fmt.Sprintf("possible: %v (%s)", e.Choice, e.Text))
	}
	return lines
}

// Play plays one order, which may use any number of faults, and says how it ended.
// Choices that are possible when the order is over are left alone.
func Play(ctx context.Context, stage Stage, order []Choice) (Order, error) {
	e, err := stage.Begin(ctx)
	if err != nil {
		return Order{}, err
	}
	defer e.Close()
	w := &walk{execution: e, bounds: Bounds{Drops: longest, Duplicates: longest}}
	if err := w.look(ctx, &node{left: w.bounds}); err != nil {
		return Order{}, err
	}
	for _, c := range order {
		if err := w.step(ctx, c); err != nil {
			return Order{}, err
		}
	}
	return w.end(ctx)
}

// Again plays an order once more and holds it against the first time. It returns
// nil where both are the same.
func Again(ctx context.Context, stage Stage, first Order) (*Nondeterminism, error) {
	again, err := Play(ctx, stage, first.Choices())
	var impossible *impossibleError
	switch {
	case errors.As(err, &impossible):
		return &Nondeterminism{Order: first.Choices(), First: first.account(), Again: impossible.instead}, nil
	case err != nil:
		return nil, err
	}
	same := slices.Equal(first.account(), again.account()) && slices.Equal(first.Result.Steps, again.Result.Steps)
	for _, s := range segment.Sides {
		same = same && slices.Equal(first.Result.Paths[s], again.Result.Paths[s])
	}
	if same {
		return nil, nil
	}
	return &Nondeterminism{Order: first.Choices(), First: first.account(), Again: again.account()}, nil
}

// An impossibleError says that a choice cannot be made, and what could instead.
type impossibleError struct {
	choice  Choice
	after   []Choice
	instead []string
}

// Error implements error.
func (e *impossibleError) Error() string {
	return fmt.Sprintf("%q is not possible after %q", e.choice, text(e.after))
}
