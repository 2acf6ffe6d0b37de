// Package specs says what a Linux kernel must do when TCP connections end, one
// behaviour a file. The whole suite is one static test binary:
//
//	CGO_ENABLED=0 go test -c ./specs
//
// It runs on any Linux kernel, as root, or as an ordinary user who may make user
// namespaces; a spec that needs what the kernel lacks is skipped and names it.
package specs

import (
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	gomega "github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

func TestSpecs(t *testing.T) {
	if *exploring {
		exploreAll(t)
		return
	}
	suite.Run(t, "finwait")
}

// leastOfRace is how often a race is run at least: once would show nothing.
const leastOfRace = 10

// Teardown declares a spec that plays a scenario and expects each trial to end
// as a good kernel ends it, and to satisfy what else is asked of it; of a race
// nothing is expected. The spec has the scenario's name, and each part of the name
// as a label.
func Teardown(s scenario.Scenario, also ...gomega.GomegaMatcher) bool {
	return It(s.Name, Offset(1), Label(strings.Split(s.Name, "/")...), func(ctx SpecContext) {
		entry := report.Entry{Name: s.Name, Expected: s.Expected(), Race: s.Race}
		n := suite.Trials()
		if s.Race {
			n = max(n, leastOfRace)
		}
		if s.TakesMinutes() && !suite.OnVirtualClock() {
			suite.Without(ctx, entry, &kernel.MissingCapability{Name: "a virtual clock", Err: errors.New("it takes minutes on a real one")})
		}
		s.Noise = suite.Noise()
		for trial, err := range scenario.Repeat(ctx, s, n, 0) {
			if err != nil {
				suite.Without(ctx, entry, err)
			}
			suite.Judge(entry, trial, also...)
		}
	})
}
