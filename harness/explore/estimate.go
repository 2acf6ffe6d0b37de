package explore

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"
)

// probes are how many executions an estimate takes.
const probes = 100

// A TooLarge says that a search was refused, or broken off, for its size.
type TooLarge struct {
	Bounds Bounds
	// Executions is the estimate, and Deviation its standard error.
	Executions, Deviation float64
}

// Error implements error.
func (e *TooLarge) Error() string {
	return fmt.Sprintf("with %d drops and %d duplicates it would take some %.1e executions (estimated from %d probes, standard error %.0e), more than %d: allow fewer faults",
		e.Bounds.Drops, e.Bounds.Duplicates, e.Executions, probes, e.Deviation, Most)
}

// refuseTooLarge is an error where the search would take more than Most executions.
func (s Search) refuseTooLarge(ctx context.Context, workers int) error {
	estimate, err := s.estimate(ctx, workers)
	switch {
	case err != nil:
		return fmt.Errorf("estimate how many executions it takes: %w", err)
	case estimate.Executions > Most:
		return estimate
	}
	return nil
}

// estimate is how many executions the whole search takes, by Knuth's method (Estimating
// the Efficiency of Backtrack Programs, 1975): a probe goes to the end of one order,
// choosing at random among what the search would explore; the product of the numbers
// of these is right on average. The probes are the same whenever it is done.
func (s Search) estimate(ctx context.Context, workers int) (*TooLarge, error) {
	leaves := make([]float64, probes)
	crew, ctx := errgroup.WithContext(ctx)
	crew.SetLimit(workers)
	for i := range leaves {
		crew.Go(func() (err error) {
			leaves[i], err = s.probe(ctx, rand.New(rand.NewPCG(1, uint64(i))))
			return err
		})
	}
	if err := crew.Wait(); err != nil {
		return nil, err
	}
	estimate := &TooLarge{Bounds: s.Bounds}
	for _, n := range leaves {
		estimate.Executions += n / probes
	}
	var squares float64
	for _, n := range leaves {
		squares += (n - estimate.Executions) * (n - estimate.Executions)
	}
	estimate.Deviation = math.Sqrt(squares / (probes - 1) / probes)
	return estimate, nil
}

// probe is the number of executions as one random order tells it.
func (s Search) probe(ctx context.Context, random *rand.Rand) (leaves float64, err error) {
	e, err := s.Stage.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	w := &walk{execution: e, bounds: s.Bounds}
	var b branch
	if err := w.replay(ctx, b); err != nil {
		return 0, err
	}
	leaves = 1
	for {
		awake := b.awake(w.at)
		if len(awake) == 0 {
			return leaves, nil
		}
		leaves *= float64(len(awake))
		b = w.at.branch(awake, random.IntN(len(awake)), b, s.Bounds)
		if err := w.step(ctx, b.choice); err != nil {
			return 0, err
		}
	}
}
