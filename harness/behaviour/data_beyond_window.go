package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// RFC 9293 section 3.10.7.4 wants what is beyond the window to be trimmed. Linux takes
// a segment whole that begins in the window, newer kernels only while nothing else is
// queued (net/ipv4/tcp_input.c, tcp_sequence).
var dataBeyondWindow = Question{
	Name: "data-beyond-window",
	Text: "Data begins in sequence and ends an octet beyond the window, while other data waits to be read: is it accepted?",
	Change: &Change{
		Commit: "9ca48d616ed7", Subject: "tcp: do not accept packets beyond window",
		With: []string{"dropped"}, Without: []string{"accepted"},
	},
	Answers: []Answer{
		{"accepted", "All of it is taken, with what the window has no room for."},
		{"dropped", "All of it is dropped, with what the window has room for."},
	},
	experiment: func(s *stage) string {
		s.openWithLittleRoom()
		const room = 100
		s.fill(room)
		s.count()
		data := s.next(segment.PSH, room+1)
		switch answers := s.ask(data); {
		case one(answers, acknowledges(data.End())):
			return s.agreed("accepted", observe.Counters{"BeyondWindow": 0})
		case one(answers, acknowledges(data.Seq)):
			return s.agreed("dropped", observe.Counters{"BeyondWindow": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
