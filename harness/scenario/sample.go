package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A sampler asks both ends' kernels for the state of the connection: whenever a
// tap has seen something, whenever a timer is due, which no tap need see, and in
// between more and more seldom.
type sampler struct {
	run     *run
	cancel  context.CancelFunc
	stopped chan struct{}
	gone    chan struct{} // closed when the ends that are waited for are
	err     error
	notices [2][]teardown.Notice
	last    [2]sample
	jiffy   time.Duration
}

// A sample is one answer, and when it was asked for.
type sample struct {
	observe.Status
	asked clock.Instant
	due   clock.Instant // what the timer was set to when it was seen first, or set anew
	gone  int           // how many answers in a row, this the last, were that there is none
}

// soonest and latest are how long after the last question the next one comes,
// where nothing calls for it before. There is no latest where an end is waited for
// until it is gone: hours of nothing are then slept through from one timer to the
// next.
const (
	soonest = 100 * time.Microsecond
	latest  = 10 * time.Millisecond
)

// startSampling returns when both have answered for the first time.
func (r *run) startSampling(ctx context.Context) (*sampler, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &sampler{run: r, cancel: cancel, stopped: make(chan struct{}), gone: make(chan struct{}), jiffy: clock.Jiffy()}
	if _, err := s.ask(); err != nil {
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
		news, err := s.ask()
		if err != nil {
			return err
		}
		if news {
			pause = soonest
		}
		again.Reset(s.bound(pause))
		select {
		case <-changed:
			pause = soonest
		case <-again.C:
			pause = min(2*pause, longDeadline)
		case <-ctx.Done():
			_, err := s.ask()
			return err
		case <-s.gone:
			<-ctx.Done()
			return nil
		}
	}
}

// bound has the next question come no later than a timer is due. From then on a
// mini-socket is asked for every jiffy until it is gone, since nobody else tells of
// that: the kernel's timers run late, by an eighth of their time at most
// (kernel/time/timer.c). Of what the others do, a tap or an event tells as well.
func (s *sampler) bound(pause time.Duration) time.Duration {
	if len(s.run.UntilGone) == 0 {
		pause = min(pause, latest)
	}
	now := clock.Now()
	for _, last := range s.last {
		left := last.due.Sub(now)
		switch {
		case last.due == 0:
		case left > 0:
			pause = min(pause, left)
		case last.Timer == observe.TimeWait:
			pause = min(pause, s.jiffy)
		default:
			pause = min(pause, max(s.jiffy, -left/4))
		}
	}
	return max(pause, soonest)
}

// ask asks both kernels and writes down what is new.
func (s *sampler) ask() (news bool, err error) {
	for _, a := range s.run.real() {
		asked := clock.Now()
		status, err := a.kernel.StatusOf(a.local, a.remote)
		if err != nil {
			return news, fmt.Errorf("follow the states of the %s: %w", a.host.Name, err)
		}
		answered := clock.Now()
		last := s.last[a.side]
		next := sample{Status: status, asked: asked}
		same := status.State == last.State && status.Timer == last.Timer && status.Held == last.Held
		if status.Timer != observe.NoTimer {
			next.due = answered.Add(status.Expires)
			// To a jiffy an answer is as old as the last tick.
			if same && (status.Expires == 0 || next.due.Sub(last.due).Abs() <= s.jiffy+time.Millisecond) {
				next.due = last.due
			}
		}
		if status.State == observe.Closed {
			next.gone = last.gone + 1
		}
		s.last[a.side] = next
		if same && next.due == last.due {
			continue
		}
		news = true
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
	s.tellGone()
	return news, nil
}

// tellGone tells once the ends that are waited for are gone. It takes two answers:
// for a moment there may be neither a full socket nor the mini-socket that is taking
// its place (net/ipv4/inet_timewait_sock.c, inet_twsk_hashdance).
func (s *sampler) tellGone() {
	there := func(side segment.Side) bool { return s.last[side].gone < 2 }
	if len(s.run.UntilGone) == 0 || slices.ContainsFunc(s.run.UntilGone, there) {
		return
	}
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
}
