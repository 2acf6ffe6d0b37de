package scenario

import (
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

// Wire disturbs the teardown by a wire between client and server: rules of
// package wire, and the overtakings that they bring about. It needs no kernel
// module and no timing.
func Wire(asks []teardown.Overtaking, rules ...string) Wired {
	return Wired{asks: asks, rules: rules}
}

// Wired is a disturbance by a wire.
type Wired struct {
	asks      []teardown.Overtaking
	rules     []string
	roundTrip time.Duration
}

// Over is the same disturbance on a longer wire: a round trip takes so much more,
// half of it each way.
func (w Wired) Over(roundTrip time.Duration) Wired {
	w.roundTrip = roundTrip
	return w
}

// Available implements Disturbance: a wire needs nothing.
func (Wired) Available() error { return nil }

// Asks implements Disturbance.
func (w Wired) Asks() []teardown.Overtaking { return w.asks }

// Build implements Disturbance.
func (w Wired) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	stage := wiredStage{}
	for _, text := range w.rules {
		rule, err := wire.ParseRule(text)
		if err != nil {
			return nil, err
		}
		stage.rules = append(stage.rules, rule)
	}
	var err error
	stage.Wired, err = topologies.NewWired(l, family, wire.RoundTrip(w.roundTrip))
	return stage, err
}

type wiredStage struct {
	topologies.Wired
	rules []wire.Rule
}

func (s wiredStage) Ends() topologies.Pair { return s.Pair }

func (s wiredStage) Watch(broken func(error)) {
	go func() {
		<-s.Wire.Done()
		if err := s.Wire.Err(); err != nil {
			broken(err)
		}
	}()
}

func (s wiredStage) Install(_, _ netip.AddrPort) (Installed, error) {
	s.Wire.Arm(s.rules...)
	return atWork{s.Wire}, nil
}

func (s wiredStage) Clear() error {
	if err := s.Wire.Finished(); err != nil {
		return err
	}
	s.Wire.Arm()
	return nil
}

type atWork struct{ wire *wire.Wire }

func (a atWork) Idle() (bool, error) { return a.wire.Idle(), nil }

func (a atWork) Fired() error { return a.wire.Finished() }

func (a atWork) KeptUp(rto time.Duration) error { return a.wire.KeptUp(rto) }
