package specs

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// What a kernel lets be seen of a teardown, and what not. Whoever watches states
// by tracepoints or BPF has to know; so this is judged also where all else is only
// recorded.
var _ = Describe("What can be seen of FIN_WAIT2 and TIME_WAIT", func() {
	// The client's FIN takes its time, so that the server can be seen in
	// FIN_WAIT2 by whoever asks now and then.
	slow := scenario.Wire(nil, "delay client fin by "+(50*time.Millisecond).String())

	observed := func(name string, server closingPath, look func(trial teardown.Trial, server *teardown.End)) {
		name = "blindness/" + name + "/server-" + server.name + "/ipv4/wire"
		It(name, Label(strings.Split(name, "/")...), func(ctx SpecContext) {
			trial, err := scenario.Play(ctx, scenario.Scenario{
				Name: name, Family: topologies.IPv4, Server: server.Behaviour, ServerFirst: true, Disturbance: slow,
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(trial.Outcome).To(Equal(teardown.Clean), "%s", ladder.Text(trial))
			AddReportEntry(name, ladder.Text(trial), ReportEntryVisibilityFailureOrVerbose)
			look(trial, &trial.Exchange.Server)
		})
	}

	// A socket that goes to TIME_WAIT is closed, and a mini-socket takes its
	// place, which is nobody's event (net/ipv4/tcp_minisocks.c, tcp_time_wait).
	for _, server := range []closingPath{shutdown, closed, finTimeout(61)} {
		observed("time-wait", server, func(trial teardown.Trial, server *teardown.End) {
			skipIfUnheard(trial, teardown.SockOps, teardown.InetSockSetState)
			for _, n := range server.Notices {
				if n.To == "TIME_WAIT" {
					Expect(n.Source).To(Equal(teardown.SockDiag))
				}
			}
			path := trial.Paths[segment.Server]
			last := path[len(path)-1]
			Expect(last.State).To(Equal("TIME_WAIT"))
			Expect(last.Sources).To(ConsistOf(teardown.SockDiag))
			Expect(last.Blind).NotTo(BeEmpty(), "%s", ladder.Text(trial))
		})
	}

	// What close() leaves is bounded by a timer: of the mini-socket, or of the
	// orphan that stays a full socket for longer than a minute (net/ipv4/tcp.c,
	// __tcp_close). What shutdown() leaves is not: it is the program's.
	for _, c := range []struct {
		server closingPath
		timer  string
		orphan bool
	}{
		{closed, "timewait", true},
		{finTimeout(60), "timewait", true},
		{finTimeout(61), "keepalive", true},
		{linger2(61), "keepalive", true},
		{shutdown, "", false},
	} {
		observed("fin-wait2", c.server, func(trial teardown.Trial, server *teardown.End) {
			// The last answer counts: the first may have come while a mini-socket was
			// being made.
			var last *teardown.Notice
			for i, n := range server.Notices {
				if n.Source == teardown.SockDiag && n.To == "FIN_WAIT2" {
					last = &server.Notices[i]
				}
			}
			Expect(last).NotTo(BeNil(), "sock_diag did not see FIN_WAIT2:\n%s", ladder.Text(trial))
			Expect(last.Timer).To(Equal(c.timer))
			Expect(last.Orphan).To(Equal(c.orphan))
		})
	}

	// The FIN has a sequence number, and its acknowledgement moves SND.UNA past it
	// (RFC 9293 section 3.4).
	observed("snd-una", shutdown, func(trial teardown.Trial, server *teardown.End) {
		skipIfUnheard(trial, teardown.SockOps)
		una := map[string]uint32{}
		for _, n := range server.Notices {
			if n.Source == teardown.SockOps && n.Kind == teardown.StateNotice {
				una[n.To] = n.SndUna
			}
		}
		Expect(una).To(HaveKey("FIN_WAIT1"))
		Expect(una["FIN_WAIT2"]).To(Equal(una["FIN_WAIT1"]+1), "%s", ladder.Text(trial))
	})
})

// skipIfUnheard skips a spec where none of the sources could be listened to.
func skipIfUnheard(trial teardown.Trial, sources ...teardown.Source) {
	for _, source := range sources {
		if _, unheard := trial.Exchange.Unheard[source]; !unheard {
			return
		}
	}
	Skip(trial.Exchange.Unheard[sources[0]])
}
