package specs

import (
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/harness/teardown"
)

// A router keeps the client's FIN for longer than the client's timer runs, so that
// the client sends it again although it is not lost; in the client's own qdisc it
// would not (net/ipv4/tcp_output.c, skb_still_in_host_queue). That is no verdict on
// the server's kernel, whether it accepts the FIN or not: the trial has to be
// inconclusive, and say why.
var _ = Describe("A FIN that is sent again while it is on its way proves nothing", func() {
	for _, family := range families {
		name := "slow-path/server-shutdown/" + string(family) + "/routed"
		It(name, Label(strings.Split(name, "/")...), func(ctx SpecContext) {
			trial, err := scenario.Play(ctx, scenario.Scenario{
				Name: name, Family: family, Server: shutdown.Behaviour,
				Disturbance: scenario.HoldClientFINAtRouter(500 * time.Millisecond),
			})
			var missing *kernel.MissingCapability
			if errors.As(err, &missing) && !suite.RequireAll() {
				Skip(missing.Error())
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(trial.Outcome).To(Equal(teardown.Inconclusive), ladder.Text(trial))
			Expect(trial.Why).To(HaveEach(ContainSubstring("while the earlier one was still on its way")), ladder.Text(trial))
			Expect(trial.Retransmissions).NotTo(BeEmpty(), ladder.Text(trial))
		})
	}
})
