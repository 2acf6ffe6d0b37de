package specs

import (
	"errors"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// Whatever a kernel makes of an overtaken FIN, it makes the same of it in
// whichever way it was overtaken. Where it does not, one of the ways does
// something else than it says, and no verdict of this suite is worth anything;
// so this is judged also where all else is only recorded.
var _ = Describe("However a FIN was overtaken, the verdict is the same", func() {
	for _, path := range closingPaths {
		name := "one-verdict/server-" + path.name + "/ipv4"
		It(name, Label(strings.Split(name, "/")...), func(ctx SpecContext) {
			var played []teardown.Trial
			for _, way := range ways(path) {
				trial, err := scenario.Play(ctx, scenario.Scenario{
					Name: name + way.suffix, Family: topologies.IPv4, Server: path.Behaviour, Disturbance: way.disturbance, Noise: suite.Noise(),
				})
				var missing *kernel.MissingCapability
				if errors.As(err, &missing) {
					if suite.RequireAll() {
						Fail(missing.Error())
					}
					continue
				}
				Expect(err).NotTo(HaveOccurred())
				Expect(trial.Outcome).NotTo(Equal(teardown.Inconclusive), ladder.Text(trial))
				played = append(played, trial)
			}
			if len(played) < 2 {
				Skip("the running kernel lacks what all ways but one need")
			}
			for _, trial := range played[1:] {
				Expect(verdictOf(trial)).To(Equal(verdictOf(played[0])),
					"%s\nand\n%s", ladder.Text(played[0]), ladder.Text(trial))
			}
		})
	}
})

// ways are those in which a server that closes like that is played: all of them
// for the two that stand for the others, whose socket in FIN_WAIT2 is like one of
// theirs.
func ways(path closingPath) []overtaking {
	if path.name == shutdown.name || path.name == closed.name {
		return slices.Concat(overtakings, overtakingsBetween)
	}
	return overtakings
}

// verdict is what of a trial does not depend on how the FIN was held.
type verdict struct {
	outcome    teardown.Outcome
	overtook   []teardown.Sequence
	challenges int
	again      []string
}

func verdictOf(t teardown.Trial) verdict {
	v := verdict{outcome: t.Outcome, overtook: t.Overtook}
	for _, n := range t.ChallengeACKs {
		v.challenges += n
	}
	for _, r := range t.Retransmissions {
		v.again = append(v.again, r.Segment+" by "+string(r.Timer))
	}
	return v
}
