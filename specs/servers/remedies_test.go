package servers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/catalogue"
	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
)

// A remedy is what an operator may try against FINs that are lost, if not another kernel.
type remedy struct {
	name string
	// client and server are as a place's.
	client, server scenario.Behaviour
	// shows is what shows that it was at work.
	shows []types.GomegaMatcher
	// hurried is as a place's.
	hurried bool
}

// settings are of kernels, and none of them helps: a kernel drops the FIN, if it does, where
// the server's socket is a full one (net/ipv4/tcp_input.c, tcp_rcv_state_process), which it
// is as long as a program holds it. The client's only decide by which timer, and how soon,
// the FIN is sent again.
var settings = []remedy{
	{
		name: "client-rto-min-50ms", client: scenario.Behaviour{RTOMin: 50 * time.Millisecond},
		shows: []types.GomegaMatcher{HaveRTO(segment.Client, 50*time.Millisecond, 200*time.Millisecond)},
	},
	{
		name: "server-rto-min-100ms", server: scenario.Behaviour{RTOMin: 100 * time.Millisecond}, hurried: true,
		shows: []types.GomegaMatcher{HaveRTO(segment.Server, 100*time.Millisecond, 200*time.Millisecond)},
	},
	{name: "client-early-retrans-0", client: set("net.ipv4.tcp_early_retrans", "0")},
	{name: "sack-off", client: set("net.ipv4.tcp_sack", "0"), server: set("net.ipv4.tcp_sack", "0")},
	{name: "fin-timeout-10", server: finTimeout10},
	{name: "fin-timeout-120", server: finTimeout120},
}

// The time that an orphan is given in FIN_WAIT2, in seconds. What is above a minute
// (TCP_TIMEWAIT_LEN), it spends as a full socket, and what is not as a mini-socket
// (net/ipv4/tcp.c, __tcp_close).
var (
	finTimeout10  = set("net.ipv4.tcp_fin_timeout", "10")
	finTimeout120 = set("net.ipv4.tcp_fin_timeout", "120")
)

func set(name, value string) scenario.Behaviour {
	return scenario.Behaviour{Sysctls: map[string]string{name: value}}
}

// What helps where a kernel loses FINs is another kernel, or a server that ends by close()
// alone. With a long tcp_fin_timeout not even that does: what close() leaves is then a full
// socket as well. None of it does harm to a kernel that takes them.
var _ = Describe("A remedy for lost FINs does no harm to a kernel that takes them", func() {
	exposed, spared := named("nginx/lingering-close-always"), named("nginx/lingering-close-off")
	for _, r := range settings {
		Remedied(exposed, r)
	}
	configured := spared
	configured.Name = exposed.Name // that it is a remedy for
	Remedied(configured, remedy{name: "lingering-close-off"})
	Remedied(spared, remedy{name: "fin-timeout-120", server: finTimeout120})
})

// Remedied declares the spec of a remedy.
func Remedied(server catalogue.Server, r remedy) {
	Served([]scenario.Manner{scenario.FINOvertaken}, place{
		Server: server, variant: "remedy-" + r.name, client: r.client, server: r.server, shows: r.shows, hurried: r.hurried,
	})
}
