package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/teardown"
)

// A sampler asks both ends' kernels for the state of the connection: whenever a
// tap has seen something, and in between, more and more seldom, because what a
// timer does no tap need see.
type sampler struct {
	run     *run
	cancel  context.CancelFunc
	stopped chan struct{}
	err     error
	notices [2][]teardown.Notice
	last    [2]sample
}

// A sample is one answer, and when it was asked for.
type sample struct {
	observe.Status
	asked clock.Instant
}

// soonest and latest are how long after the last question the next one comes,
// where nothing calls for it before.
const (
	soonest = 100 * time.Microsecond
	latest  = 10 * time.Millisecond
)

// startSampling returns when both have answered for the first time.
func (r *run) startSampling(ctx context.Context) (*sampler, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &sampler{run: r, cancel: cancel, stopped: make(chan struct{})}
	if err := s.ask(); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(s.stopped)
		s.err = s.sample(ctx)
	}()
	return s, nil
}

// stop asks once more, and says what went wrong. It may be called again.
func (s *sampler) stop() error {
	s.cancel()
	<-s.stopped
	return s.err
}

func (s *sampler) sample(ctx context.Context) error {
	pause := soonest
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		changed := s.run.capture.Changed() // before the question: what comes meanwhile calls for another
		if err := s.ask(); err != nil {
			return err
		}
		again.Reset(pause)
		select {
		case <-changed:
			pause = soonest
		case <-again.C:
			pause = min(2*pause, latest)
		case <-ctx.Done():
			return s.ask()
		}
	}
}

// ask asks both kernels and writes down what is new.
func (s *sampler) ask() error {
	for _, a := range s.run.real() {
		asked := clock.Now()
		status, err := a.kernel.StatusOf(a.conn.Local, a.conn.Remote)
		if err != nil {
			return fmt.Errorf("follow the states of the %s: %w", a.host.Name, err)
		}
		last := s.last[a.side]
		s.last[a.side] = sample{status, asked}
		if status.State == last.State && status.Timer == last.Timer && status.Held == last.Held {
			continue
		}
		answered := clock.Now()
		if last.asked == 0 {
			last.asked = asked
		}
		notice := teardown.Notice{
			At: s.run.capture.Since(answered), Source: teardown.SockDiag, Kind: teardown.StateNotice,
			From: string(last.State), To: string(status.State), Timer: string(status.Timer), Orphan: !status.Held,
			Expires: status.Expires, Earlier: answered.Sub(last.asked),
		}
		s.notices[a.side] = append(s.notices[a.side], notice)
	}
	return nil
}
