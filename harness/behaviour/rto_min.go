package behaviour

import (
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// How long is waited at least before a segment is sent again: 200 ms (TCP_RTO_MIN) on
// top of a round trip, unless a route, a BPF program or this parameter says otherwise
// (net/ipv4/tcp_output.c, tcp_rto_min).
var rtoMin = Question{
	Name: "rto-min",
	Text: "Can the least retransmission timeout be set for all connections of a namespace (tcp_rto_min_us)?",
	Change: &Change{
		Commit: "f086edef71be", Subject: "tcp: add sysctl_tcp_rto_min_us",
		With: []string{"obeyed", "ignored"}, Without: []string{"absent"},
	},
	Answers: []Answer{
		{"obeyed", "The parameter is there, and connections go by it."},
		{"ignored", "The parameter is there, and connections do not go by it."},
		{"absent", "There is no such parameter."},
	},
	experiment: func(s *stage) string {
		const byDefault = 200 * time.Millisecond
		if !s.hasSysctl("net.ipv4.tcp_rto_min_us", "50000") {
			return "absent"
		}
		s.listenBy(usual)
		s.shakeHands()
		rto, variation := s.rto()
		switch {
		case rto < byDefault:
			s.awaitAgain()
			return "obeyed"
		case variation < byDefault/2:
			return "ignored"
		}
		s.doubt("the RTO is %v after a round trip that took its time", rto)
		return ""
	},
}

// rto is the server's retransmission timeout, and what of it comes of how much round
// trips differ.
func (s *stage) rto() (timeout, variation time.Duration) {
	info, err := s.server.Info()
	s.check(err)
	timeout = time.Duration(info.TCP.Rto) * time.Microsecond
	s.note("server: TCP_INFO has an RTO of %v", timeout)
	return timeout, 4 * time.Duration(info.TCP.Rttvar) * time.Microsecond
}

// awaitAgain has the server send an octet that the client does not acknowledge, and
// waits until it is sent again.
func (s *stage) awaitAgain() {
	s.count()
	s.note("server: write 1 octet")
	s.check(s.server.Write(make([]byte, 1)))
	seen := 0
	_, err := s.client.Await(s.ctx, func(seg segment.Segment) bool {
		if seg.Length == 1 {
			seen++
		}
		return seen == 2
	})
	s.check(err)
	// By now it may have been sent once more.
	if moved := s.moved(); moved["RetransSegs"] == 0 || moved["TCPLossProbes"]+moved["TCPTimeouts"] == 0 {
		s.doubt("the octet was sent again, but the counters that moved are %v", moved)
	}
}
