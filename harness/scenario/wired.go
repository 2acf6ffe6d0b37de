package scenario

import (
	"net/netip"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

// Wire disturbs the teardown by a wire between client and server: rules of
// package wire, and the overtakings that they bring about. It needs no kernel
// module and no timing.
func Wire(asks []teardown.Overtaking, rules ...string) Disturbance {
	return wired{asks, rules}
}

type wired struct {
	asks  []teardown.Overtaking
	rules []string
}

func (wired) Available() error { return nil }

func (w wired) Asks() []teardown.Overtaking { return w.asks }

func (w wired) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	stage := wiredStage{}
	for _, text := range w.rules {
		rule, err := wire.ParseRule(text)
		if err != nil {
			return nil, err
		}
		stage.rules = append(stage.rules, rule)
	}
	var err error
	stage.Wired, err = topologies.NewWired(l, family)
	return stage, err
}

type wiredStage struct {
	topologies.Wired
	rules []wire.Rule
}

func (s wiredStage) Ends() topologies.Pair { return s.Pair }

func (s wiredStage) Install(_, _ netip.AddrPort) (Installed, error) {
	s.Wire.Arm(s.rules...)
	return atWork{s.Wire}, nil
}

type atWork struct{ wire *wire.Wire }

func (a atWork) Idle() (bool, error) { return a.wire.Idle(), nil }

func (a atWork) Fired() error { return a.wire.Finished() }
