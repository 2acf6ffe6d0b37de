package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/forge"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// Play plays the scenario once, in a lab of its own that it takes down before it
// returns, and judges it. What the kernel under test does, however bad, is an
// outcome; an error means that the harness could not do its work, and is or
// wraps a *kernel.MissingCapability where the running kernel lacks something
// that the scenario needs. Play needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
func Play(ctx context.Context, s Scenario) (teardown.Trial, error) {
	exchange, err := s.record(ctx)
	if err != nil {
		return teardown.Trial{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	return teardown.Judge(exchange), nil
}

// A run is one playing of a scenario.
type run struct {
	Scenario
	lab      *lab.Lab
	stage    Stage // nil where nothing is disturbed
	pair     topologies.Pair
	capture  *capture.Capture
	client   *actor
	server   *actor
	forged   *forge.Client // nil where the client is real
	disturb  Installed
	readers  sync.WaitGroup
	broken   func(error) // ends the trial
	exchange *teardown.Exchange
}

// An actor is one end of the connection and what is written down of it.
type actor struct {
	Behaviour
	host   *lab.Host
	link   *lab.End   // its own
	peer   *lab.End   // the other's
	conn   *sock.Conn // nil where the client is forged
	before observe.Counters
	resent uint32 // tcpi_total_retrans before the closing calls
	end    *teardown.End
}

func (s Scenario) record(ctx context.Context) (*teardown.Exchange, error) {
	if s.Disturbance != nil {
		if err := s.Disturbance.Available(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &run{Scenario: s, lab: lab.New(), broken: cancel, exchange: &teardown.Exchange{Asked: s.asks()}}
	defer r.lab.Close()
	defer r.readers.Wait()
	defer cancel(nil)

	late := time.AfterFunc(openingTime, func() { cancel(errOpening) })
	defer late.Stop()
	if err := r.open(ctx); err != nil {
		return nil, because(ctx, err)
	}
	late.Stop()
	closing, stop := context.WithTimeout(ctx, s.deadline())
	defer stop()
	err := r.close(closing)
	if err == nil {
		err = r.awaitEnd(closing)
	}
	switch {
	case errors.Is(err, errRefused), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		r.exchange.GaveUp = true // that the deadline came first is an outcome
	case err != nil:
		return nil, because(ctx, err)
	}
	if err := r.collect(ctx); err != nil {
		return nil, err
	}
	return r.exchange, nil
}

// because puts what ended the context before an error that came of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, err)
	}
	return err
}

// openingTime bounds what comes before the closing calls.
const openingTime = 30 * time.Second

var errOpening = fmt.Errorf("the connection was not open and idle after %v", openingTime)

// open does everything that comes before the closing calls.
func (r *run) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.build, r.connect, r.converse, r.speak, r.prepare, r.speakLast} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
