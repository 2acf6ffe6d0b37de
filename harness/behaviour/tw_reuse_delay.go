package behaviour

import (
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// How long a port has to have been in TIME_WAIT before connect() may take it, with
// tcp_tw_reuse: until the next second of the clock, or for as long as this parameter
// says (net/ipv4/tcp_ipv4.c, tcp_twsk_unique).
var twReuseDelay = Question{
	Name: "tw-reuse-delay",
	Text: "Can it be set how soon connect() may take a port in TIME_WAIT (tcp_tw_reuse_delay)?",
	Change: &Change{
		Commit: "ca6a6f93867a", Subject: "tcp: Add sysctl to configure TIME-WAIT reuse delay",
		With: []string{"obeyed", "ignored"}, Without: []string{"absent"},
	},
	Answers: []Answer{
		{"obeyed", "The parameter is there, in milliseconds, and connect() goes by it."},
		{"ignored", "The parameter is there, and connect() does not wait."},
		{"absent", "There is no such parameter: it takes until the next second of the clock."},
	},
	experiment: func(s *stage) string {
		const delay = 500 * time.Millisecond
		if !s.hasSysctl("net.ipv4.tcp_tw_reuse_delay", "500") {
			return "absent"
		}
		s.sysctl("net.ipv4.tcp_tw_reuse", "1")
		s.connects()
		s.client.TSVal = stamp
		s.check(s.connect())
		if answers := s.answer(segment.ACK); !one(answers, acknowledges(s.client.SndNxt)) {
			return s.unforeseen(answers)
		}
		s.close()
		begun := clock.Now()
		s.ask(s.next(segment.FIN, 0))
		s.reach("TIME_WAIT")
		s.count()
		early := s.reuses()
		switch took := clock.Now().Sub(begun); {
		case early && took < delay:
			return s.agreed("ignored", observe.Counters{"TWRecycled": 1})
		case early:
			s.doubt("connect() came %v after the FIN, when it may have the port", took)
		}
		s.pass(delay)
		if !s.reuses() {
			s.doubt("connect() is refused the port after %v, too", delay)
		}
		return s.agreed("obeyed", observe.Counters{"TWRecycled": 1})
	},
}
