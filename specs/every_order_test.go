package specs

import (
	"runtime"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/topologies"
)

// Orders in which only what happens at different ends changes places come to the
// same: an end can tell only what reaches it, and when. The explorer plays one of
// them for all; here it plays them all, and has to find nothing else. This is
// judged also where all else is only recorded, as every behaviour map rests on it.
var _ = Describe("Orders that no end can tell apart come to the same", func() {
	name := "every-order/client-shutdown/server-close/ipv4"
	It(name, Label(strings.Split(name, "/")...), func(ctx SpecContext) {
		live := &explore.Live{Family: topologies.IPv4, Client: shutdown.Behaviour, Server: closed.Behaviour}
		defer live.Close()
		var (
			maps       [2]strings.Builder
			executions [2]int
		)
		for i, all := range []bool{false, true} {
			found, err := explore.Search{
				Stage: live, Bounds: explore.Bounds{All: all}, Workers: runtime.GOMAXPROCS(0),
			}.Run(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(found.Nondeterministic).To(BeEmpty())
			var m explore.Map
			m.Add(explore.Pair{Client: shutdown.name, Server: closed.name}, found)
			Expect(m.Write(&maps[i])).To(Succeed())
			executions[i] = found.Executions
		}
		Expect(maps[0].String()).To(Equal(maps[1].String()))
		Expect(executions[0]).To(BeNumerically("<", executions[1]))
	})
})
