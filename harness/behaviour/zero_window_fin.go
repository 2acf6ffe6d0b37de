package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A FIN takes a sequence number, for which a closed window has no room, and no memory.
// A peer that has nothing else to say goes on sending it (net/ipv4/tcp_input.c,
// tcp_data_queue and tcp_sequence).
var zeroWindowFIN = Question{
	Name: "zero-window-fin",
	Text: "The program does not read, the window is closed, and the peer sends its FIN: is it accepted?",
	Change: &Change{
		Commit: "2bd99aef1b19", Subject: "tcp: accept bare FIN packets under memory pressure",
		With: []string{"accepted", "dropped as beyond the window"}, Without: []string{"dropped"},
	},
	Answers: []Answer{
		{"accepted", "The FIN is accepted: the connection goes to CLOSE_WAIT."},
		{"dropped", "The FIN is dropped, and acknowledged as what is out of the window: the peer has to send it again until the program reads."},
		{"dropped as beyond the window", `It is dropped by "tcp: do not accept packets beyond window" (9ca48d616ed7), before "tcp: re-enable acceptance of FIN packets when RWIN is 0" (1e3bb184e941).`},
	},
	experiment: func(s *stage) string {
		s.openWithLittleRoom()
		s.fill(0)
		s.count()
		fin := s.next(segment.FIN, 0)
		switch answers := s.ask(fin); {
		case one(answers, acknowledges(fin.End())):
			s.reach("CLOSE_WAIT")
			return s.agreed("accepted", observe.Counters{"TCPZeroWindowDrop+BeyondWindow": 0})
		case one(answers, acknowledges(fin.Seq)):
			s.reach("ESTABLISHED")
			if s.moved()["BeyondWindow"] > 0 {
				return s.agreed("dropped as beyond the window", observe.Counters{"TCPZeroWindowDrop": 0, "BeyondWindow": 1})
			}
			return s.agreed("dropped", observe.Counters{"TCPZeroWindowDrop": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
