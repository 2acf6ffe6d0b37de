package specs

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// The server shuts down its sending side while data of the client is under way,
// and the client's ACK of the server's FIN overtakes that data. The data is as
// good as an overtaken FIN is: it is in the window, in sequence, and the server
// still reads. The code that dropped the one dropped the other.
var _ = Describe("Data that the ACK of the peer's FIN overtook is accepted", func() {
	overtaken := scenario.Scenario{
		Name:        "overtaken-data/server-shutdown",
		Client:      scenario.Behaviour{LastWords: 1000},
		Server:      shutdown.Behaviour,
		ServerFirst: true,
		Disturbance: scenario.Wire(
			[]teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindData}},
			"hold client data until client ack-of-fin"),
	}
	for _, family := range families {
		s := overtaken
		s.Name, s.Family = s.Name+"/"+string(family)+"/wire", family
		Teardown(s, Not(RetransmitFIN(segment.Client)))
	}
	for _, v := range mechanisms {
		s := overtaken
		s.Name, s.Family = s.Name+"/ipv4/wire/"+v.name, topologies.IPv4
		v.apply(&s)
		Teardown(s, append(v.shows, Not(RetransmitFIN(segment.Client)))...)
	}
})
