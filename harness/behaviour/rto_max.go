package behaviour

import (
	"time"

	"github.com/finwait/finwait/harness/lab"
)

// How long is waited at most before a segment is sent again: 120 s (TCP_RTO_MAX),
// unless this parameter says otherwise, which also bounds how often an orphan's FIN is
// sent (net/ipv4/tcp_timer.c, tcp_out_of_resources and tcp_write_timeout).
var rtoMax = Question{
	Name:   "rto-max",
	Text:   "Can the largest retransmission timeout be set for all connections of a namespace (tcp_rto_max_ms)?",
	Change: `"tcp: add tcp_rto_max_ms sysctl" (1280c26228bd)`,
	Answers: []Answer{
		{"obeyed", "The parameter is there, and connections go by it."},
		{"ignored", "The parameter is there, and connections do not go by it."},
		{"absent", "There is no such parameter."},
	},
	experiment: func(s *stage) string {
		if !s.hasSysctl("net.ipv4.tcp_rto_max_ms", "1000") {
			return "absent"
		}
		// A route whose least RTO is more has the timeout come to that without a
		// retransmission.
		s.listenBy(lab.RouteMetrics{QuickACK: true, RTOMin: 2 * time.Second})
		s.shakeHands()
		if rto, _ := s.rto(); rto > time.Second {
			return "ignored"
		}
		s.awaitAgain()
		return "obeyed"
	},
}
