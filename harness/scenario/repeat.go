package scenario

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/finwait/finwait/harness/teardown"
)

// Repeat plays the scenario n times and yields the trials in the order in which
// they end. So many are played side by side, each in a lab of its own; 0 stands
// for as many as suit the machine, which is one where it has one processor.
//
// A lab is used again once a check has proven that nothing of a trial is left in
// it: a trial is the same in a lab that was used as in a new one. It is taken
// down, and another built, where the trial was anything but a connection that
// ended, or the check fails.
//
// The first error, as Play's, is yielded in the place of a trial and is the last
// that is. All labs have been taken down when the loop ends.
func Repeat(ctx context.Context, s Scenario, n, sideBySide int) iter.Seq2[teardown.Trial, error] {
	if sideBySide == 0 {
		sideBySide = suitable()
	}
	return func(yield func(teardown.Trial, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan result)
		var left atomic.Int64
		left.Store(int64(n))
		var players sync.WaitGroup
		for range min(n, sideBySide) {
			players.Go(func() {
				p := player{Scenario: s}
				defer p.leave()
				for left.Add(-1) >= 0 {
					trial, err := p.play(ctx)
					results <- result{trial, err}
				}
			})
		}
		go func() {
			players.Wait()
			close(results)
		}()
		defer func() {
			cancel()
			left.Store(0)
			for range results { // until the last player has left
			}
		}()
		for r := range results {
			if !yield(r.trial, r.err) || r.err != nil {
				return
			}
		}
	}
}

type result struct {
	trial teardown.Trial
	err   error
}

// suitable is how many trials side by side keep the machine's processors busy.
// More would only wait for one another, and the one clock of a machine with one
// processor may be virtual, with no time to be gained.
func suitable() int {
	if n := runtime.NumCPU(); n > 1 {
		return 2 * n
	}
	return 1
}

// A player plays one trial after another, in the same testbed as long as that is
// proven clean.
type player struct {
	Scenario
	bed *testbed // nil before the first trial, and after one that left its traces
}

func (p *player) play(ctx context.Context) (teardown.Trial, error) {
	fail := func(err error) (teardown.Trial, error) {
		p.leave()
		return teardown.Trial{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	if p.bed != nil && p.bed.clear(ctx) != nil {
		p.leave()
	}
	if p.bed == nil {
		bed, err := p.build(ctx)
		if err != nil {
			return fail(err)
		}
		p.bed = bed
	}
	trial, err := p.bed.play(ctx)
	if err != nil {
		return fail(err)
	}
	if trial.Outcome != teardown.Clean && trial.Outcome != teardown.Retransmitted {
		p.leave()
	}
	return trial, nil
}

// leave takes the testbed down.
func (p *player) leave() {
	if p.bed != nil {
		p.bed.close()
		p.bed = nil
	}
}
