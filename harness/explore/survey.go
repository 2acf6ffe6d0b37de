package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Entry is what a survey has to tell at one moment, as it is sent from a guest.
type Entry struct {
	Pair Pair `json:"pair"`
	// Line is an order's line in the map; empty in an entry without one.
	Line string `json:"line,omitempty"`
	// Covered is the share of the pair's space that is explored so far.
	Covered float64 `json:"covered"`
	// Sum is there when the pair is through.
	Sum *Sum `json:"sum,omitempty"`
}

// A Sum is what exploring a pair has taken.
type Sum struct {
	Executions int           `json:"executions"`
	CutShort   int           `json:"cut_short"`
	Saved      int           `json:"saved"`
	Took       time.Duration `json:"took_ns"`
	// Error is what ended it early.
	Error string `json:"error,omitempty"`
}

// String is "43 executions (22 cut short, 37 saved) in 1.2s".
func (s Sum) String() string {
	out := fmt.Sprintf("%d executions (%d cut short, %d saved) in %v", s.Executions, s.CutShort, s.Saved, s.Took.Round(time.Millisecond))
	if s.Error != "" {
		out += "; ended early: " + s.Error
	}
	return out
}

// A Survey explores pair after pair.
type Survey struct {
	Pairs []Pair
	// Stage is where a pair is played. It is asked for one pair after the other.
	Stage   func(context.Context, Pair) (Stage, error)
	Bounds  Bounds
	Workers int
}

// Run explores, and tells of everything as soon as it is known. A pair whose search
// ends early does not keep the next from being explored, but for the context's end.
// Each of the shortest orders that do not end clean is played once more, to be sure
// of it.
func (s Survey) Run(ctx context.Context, tell func(Entry) error) error {
	var failed []error
	for _, p := range s.Pairs {
		if ctx.Err() != nil {
			failed = append(failed, context.Cause(ctx))
			break
		}
		if err := s.pair(ctx, p, tell); err != nil {
			failed = append(failed, fmt.Errorf("%v: %w", p, err))
		}
	}
	return errors.Join(failed...)
}

func (s Survey) pair(ctx context.Context, p Pair, tell func(Entry) error) error {
	stage, err := s.Stage(ctx, p)
	if err != nil {
		return err
	}
	begun := time.Now()
	x, err := Search{
		Stage: stage, Bounds: s.Bounds, Workers: s.Workers,
		Found: func(o Order, covered float64) error {
			return tell(Entry{Pair: p, Line: lineOf(p, o.Canonical()).String(), Covered: covered})
		},
	}.Run(ctx)
	if x == nil {
		return err
	}
	if err == nil {
		err = x.confirm(ctx, stage, p)
	}
	sum := Sum{Executions: x.Executions, CutShort: x.CutShort, Saved: x.Saved, Took: time.Since(begun)}
	if err != nil {
		sum.Error = err.Error()
	}
	for _, n := range x.Nondeterministic {
		if told := tell(Entry{Pair: p, Line: n.line(p).String(), Covered: x.Covered}); told != nil {
			return told
		}
	}
	return errors.Join(err, tell(Entry{Pair: p, Covered: x.Covered, Sum: &sum}))
}

// confirm plays again what is going to be shown.
func (x *Exploration) confirm(ctx context.Context, stage Stage, p Pair) error {
	var m Map
	m.Add(p, x)
	for _, g := range m.Groups() {
		i := slices.IndexFunc(x.Orders, func(o Order) bool { return text(o.Canonical().Choices()) == text(g.Shortest.Order) })
		n, err := Again(ctx, stage, x.Orders[i])
		if err != nil {
			return err
		}
		if n != nil {
			n.Order = g.Shortest.Order
			x.Nondeterministic = append(x.Nondeterministic, *n)
		}
	}
	return nil
}

// Take takes up the entries of a survey on the map's kernel.
func (m *Map) Take(entries []Entry) error {
	covered := map[Pair]int{}
	for _, e := range entries {
		if bad := strings.TrimSpace(e.Pair.Client + e.Pair.Server); bad == "" || e.Covered < 0 || e.Covered > 1+1e-9 {
			return fmt.Errorf("an entry of the pair %q with %v explored", e.Pair.key(), e.Covered)
		}
		covered[e.Pair] = min(int(e.Covered*whole), whole)
		if e.Line == "" {
			continue
		}
		l, err := ParseLine(e.Line)
		if err != nil {
			return fmt.Errorf("%w:\n%s", err, e.Line)
		}
		if l.Pair != e.Pair {
			return fmt.Errorf("an order of the pair %q in an entry of %q", l.Pair.key(), e.Pair.key())
		}
		m.Lines = append(m.Lines, l)
	}
	for p, share := range covered {
		m.Explored = append(m.Explored, Explored{p, share})
	}
	m.tidy()
	return nil
}
