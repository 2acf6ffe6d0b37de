package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/forge"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/observe/events"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// Play plays the scenario once, in a lab of its own that it takes down before it
// returns, and judges it. What the kernel under test does, however bad, is an
// outcome; an error means that the harness could not do its work, and is or
// wraps a *kernel.MissingCapability where the running kernel lacks something
// that the scenario needs. Play needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
func Play(ctx context.Context, s Scenario) (teardown.Trial, error) {
	for trial, err := range Repeat(ctx, s, 1, 1) {
		return trial, err
	}
	panic("a scenario that was played once yielded no trial")
}

// A run is one playing of a testbed's scenario.
type run struct {
	*testbed
	client   *actor
	server   *actor
	forged   *forge.Client // nil where the client is real
	disturb  Installed
	sampler  *sampler
	exchange *teardown.Exchange
	undo     []func()
}

// An actor is one end of the connection and what is written down of it.
type actor struct {
	Behaviour
	side   segment.Side
	host   *lab.Host
	kernel *observe.Observer
	watch  *events.Watch
	conn   *sock.Conn // nil where no program of ours has the socket
	// local and remote are the connection's addresses, seen from this end; none where the
	// client is forged, and no kernel knows of it.
	local, remote netip.AddrPort
	before        observe.Counters
	resent        uint32 // tcpi_total_retrans before the closing calls
	end           *teardown.End
	// program is what of the end's program goes on by itself.
	program sync.WaitGroup
}

// play plays the testbed's scenario and judges it. When it returns, what it has
// opened has been closed again.
func (b *testbed) play(ctx context.Context) (teardown.Trial, error) {
	r := b.newRun()
	exchange, err := r.record(ctx, r.open, r.close)
	if err != nil {
		return teardown.Trial{}, err
	}
	return teardown.Judge(exchange), nil
}

func (b *testbed) newRun() *run {
	r := &run{testbed: b, exchange: &teardown.Exchange{Asked: b.asks(), Jiffy: clock.Jiffy(), UntilGone: b.UntilGone}}
	r.client = &actor{Behaviour: b.Client, side: segment.Client, host: b.pair.Client.Host, kernel: b.kernels[segment.Client], end: &r.exchange.Client}
	r.server = &actor{Behaviour: b.Server, side: segment.Server, host: b.pair.Server.Host, kernel: b.kernels[segment.Server], end: &r.exchange.Server}
	return r
}

// record records a teardown: opening does everything that comes before the closing
// calls, and closing makes them.
func (r *run) record(ctx context.Context, opening, closing func(context.Context) error) (*teardown.Exchange, error) {
	defer r.cleanUp()
	ctx, cancel := context.WithCancelCause(ctx)
	defer r.client.program.Wait()
	defer r.server.program.Wait()
	defer cancel(nil)
	defer r.onBreak(cancel)()

	late := time.AfterFunc(openingTime, func() { cancel(errOpening) })
	defer late.Stop()
	if err := opening(ctx); err != nil {
		return nil, because(ctx, err)
	}
	late.Stop()
	begun := clock.Now()
	bounded, stop := context.WithTimeout(ctx, r.deadline())
	defer stop()
	err := closing(bounded)
	if err == nil {
		err = r.awaitEnd(bounded)
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
	if r.Noise != nil {
		r.exchange.Noise = r.Noise.Worst(begun, clock.Now())
	}
	if r.Reopens {
		if err := r.reopen(ctx); err != nil {
			return nil, because(ctx, err)
		}
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

// openingTime bounds the building of a testbed, and what comes before the closing
// calls.
const openingTime = 30 * time.Second

var errOpening = fmt.Errorf("the connection was not open and idle after %v", openingTime)

// open does everything that comes before the closing calls.
func (r *run) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.connect, r.converse, r.speak, r.prepare, r.attend, r.speakLast, r.entrust} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// onEnd has f called when the trial is over, before what was given earlier.
func (r *run) onEnd(f func()) { r.undo = append(r.undo, f) }

func (r *run) cleanUp() {
	for _, f := range slices.Backward(r.undo) {
		f()
	}
}
