package scenario

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// A testbed is what a scenario is played in: the lab with its disturbance, as the
// two ends are to be, what asks their kernels, and taps on them.
type testbed struct {
	Scenario
	built   *lab.Lab
	stage   Stage // nil where nothing is disturbed
	pair    topologies.Pair
	kernels [2]*observe.Observer
	capture *capture.Capture

	whole  context.Context // ends when the stage breaks, or the testbed is closed
	broken context.CancelCauseFunc
}

// build builds a testbed of its own for the scenario.
func (s Scenario) build(ctx context.Context) (*testbed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openingTime, errOpening)
	defer cancel()
	b := &testbed{Scenario: s, built: lab.New()}
	b.whole, b.broken = context.WithCancelCause(context.Background())
	if err := b.build(ctx); err != nil {
		b.close()
		return nil, because(ctx, err)
	}
	return b, nil
}

func (b *testbed) build(ctx context.Context) (err error) {
	if _, err := recorder(); err != nil {
		return err
	}
	if b.Disturbance != nil {
		if err := b.Disturbance.Available(); err != nil {
			return err
		}
	}
	if err := b.buildLab(); err != nil {
		if errors.Is(err, lab.ErrNoIPv6) {
			err = &kernel.MissingCapability{Name: "IPv6", Err: err}
		}
		return err
	}
	ends := [2]*lab.End{b.pair.Client, b.pair.Server}
	for i, as := range []Behaviour{b.Client, b.Server} {
		if err := as.Configure(ends[i], ends[1-i]); err != nil {
			return err
		}
		if b.kernels[i], err = observe.Open(ends[i].Host); err != nil {
			return err
		}
		b.built.OnClose(b.kernels[i].Close)
	}
	if b.capture, err = capture.Start(ctx, ends); err != nil {
		return err
	}
	b.built.OnClose(b.capture.Close)
	return nil
}

// buildLab builds what the disturbance works in, or a plain pair.
func (b *testbed) buildLab() (err error) {
	if b.Disturbance == nil {
		b.pair, err = topologies.NewPair(b.built, b.Family)
		return err
	}
	if b.stage, err = b.Disturbance.Build(b.built, b.Family); err == nil {
		b.pair = b.stage.Ends()
		b.stage.Watch(b.broken)
	}
	return err
}

// Configure sets what an end is to be like. An error is or wraps a
// *kernel.MissingCapability where the kernel lacks one of the sysctls.
func (b Behaviour) Configure(end, peer *lab.End) error {
	for name, value := range b.Sysctls {
		err := end.Host.SetSysctl(name, value)
		if errors.Is(err, fs.ErrNotExist) {
			return &kernel.MissingCapability{Name: "sysctl " + name, Err: err}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", end.Host.Name, err)
		}
	}
	metrics := lab.RouteMetrics{RTOMin: b.RTOMin, QuickACK: b.AcksAtOnce}
	if metrics == (lab.RouteMetrics{}) {
		return nil
	}
	return end.RouteWith(peer.Addresses[0].Addr(), metrics)
}

// clear makes the testbed ready for another trial and proves that nothing is
// left of the one before. The trial's own clean-up comes first. What a trial
// leaves behind otherwise, nothing undoes: its sysctls are the next one's, and
// what a disturbance changes that it cannot take back makes it no Clearer.
//
// An error says what is not clean, or not proven to be: the testbed is then good
// for nothing but to be closed.
func (b *testbed) clear(ctx context.Context) error {
	if b.stage != nil {
		stage, ok := b.stage.(Clearer)
		if !ok {
			return errors.New("the disturbance cannot be taken back")
		}
		if err := stage.Clear(); err != nil {
			return err
		}
	}
	// Not even a socket in TIME_WAIT may be left: its end would be counted (TW)
	// in another trial.
	for _, side := range segment.Sides {
		switch n, err := b.kernels[side].Sockets(); {
		case err != nil:
			return err
		case n > 0:
			return fmt.Errorf("the %v has %d TCP sockets left", side, n)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	return b.capture.Restart(ctx)
}

// onBreak has end called, with the reason, if the stage is broken or breaks
// before stop is called.
func (b *testbed) onBreak(end context.CancelCauseFunc) (stop func() bool) {
	broken := func() { end(context.Cause(b.whole)) }
	if b.whole.Err() != nil {
		broken()
	}
	return context.AfterFunc(b.whole, broken)
}

func (b *testbed) close() {
	b.built.Close()
	b.broken(nil)
}
