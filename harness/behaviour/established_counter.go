package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// RFC 4022: tcpCurrEstab counts "connections for which the current state is either
// ESTABLISHED or CLOSE-WAIT" (net/ipv4/tcp.c, tcp_set_state).
var establishedCounter = Question{
	Name: "established-counter",
	Text: "The peer has ended its side of a connection: is it still counted as established (Tcp CurrEstab)?",
	Change: &Change{
		Commit: "a46d0ea5c942", Subject: "tcp: count CLOSE-WAIT sockets for TCP_MIB_CURRESTAB",
		With: []string{"counted"}, Without: []string{"not counted"},
	},
	Answers: []Answer{
		{"counted", "CLOSE_WAIT is counted, as RFC 4022 has it."},
		{"not counted", "Only ESTABLISHED is counted."},
	},
	experiment: func(s *stage) string {
		s.count()
		s.open()
		s.agreed("open", observe.Counters{"CurrEstab": 1})
		fin := s.next(segment.FIN, 0)
		if answers := s.ask(fin); !one(answers, acknowledges(fin.End())) {
			return s.unforeseen(answers)
		}
		s.reach("CLOSE_WAIT")
		if s.moved()["CurrEstab"] == 0 {
			return "not counted"
		}
		return s.agreed("counted", observe.Counters{"CurrEstab": 1})
	},
}
