package behaviour

import "time"

// How long is waited at most before a segment is sent again: 120 s (TCP_RTO_MAX),
// unless this parameter says otherwise, which also bounds how often an orphan's FIN is
// sent (net/ipv4/tcp_timer.c, tcp_out_of_resources and tcp_write_timeout).
var rtoMax = Question{
	Name: "rto-max",
	Text: "Can the largest retransmission timeout be set for all connections of a namespace (tcp_rto_max_ms)?",
	Change: &Change{
		Commit: "1280c26228bd", Subject: "tcp: add tcp_rto_max_ms sysctl",
		With: []string{"obeyed", "ignored"}, Without: []string{"absent"},
	},
	Answers: []Answer{
		{"obeyed", "The parameter is there, and connections go by it."},
		{"ignored", "The parameter is there, and connections do not go by it."},
		{"absent", "There is no such parameter."},
	},
	experiment: func(s *stage) string {
		if !s.hasSysctl("net.ipv4.tcp_rto_max_ms", "1000") {
			return "absent"
		}
		// The route's least RTO is more, so that the timeout comes to that without a
		// retransmission.
		s.open()
		if rto, _ := s.rto(); rto > time.Second {
			return "ignored"
		}
		s.awaitAgain()
		return "obeyed"
	},
}
