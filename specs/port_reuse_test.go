package specs

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/topologies"
)

// A client with a single port cannot connect to the same server again while it is in
// TIME_WAIT. Only tcp_tw_reuse lets it, a second later (tcp_tw_reuse_delay since Linux
// 6.16; before, when the clock's second has changed), and only with timestamps, which
// tell old segments from new ones (RFC 6191; net/ipv4/tcp_ipv4.c, tcp_twsk_unique;
// inet_hashtables.c, __inet_hash_connect).
var _ = Describe("A port in TIME_WAIT", func() {
	reopens := func(name string, family topologies.Family, sysctls map[string]string) scenario.Scenario {
		client := scenario.Behaviour{Sysctls: map[string]string{"net.ipv4.ip_local_port_range": "40000 40000"}}
		for name, value := range sysctls {
			client = withSysctl(client, name, value)
		}
		return scenario.Scenario{
			Name: "long-timers/port-reuse/" + name + "/" + string(family), Family: family,
			Client: client, Server: closed.Behaviour, Reopens: true,
		}
	}
	for _, family := range families {
		Teardown(reopens("after-time-wait", family, nil), ReopenAfterTimeWait(time.Minute))
		Teardown(reopens("tw-reuse", family, map[string]string{"net.ipv4.tcp_tw_reuse": "1"}), ReopenWithin(time.Second))
	}
	Teardown(reopens("tw-reuse/timestamps-off", topologies.IPv4, map[string]string{
		"net.ipv4.tcp_tw_reuse": "1", "net.ipv4.tcp_timestamps": "0",
	}), ReopenAfterTimeWait(time.Minute))
})
