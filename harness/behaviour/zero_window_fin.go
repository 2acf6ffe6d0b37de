package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A FIN takes a sequence number, for which a closed window has no room, and no memory.
// A peer that has nothing else to say goes on sending it (net/ipv4/tcp_input.c,
// tcp_data_queue and tcp_sequence).
var zeroWindowFIN = Question{
	Name:   "zero-window-fin",
	Text:   "The program does not read, the window is closed, and the peer sends its FIN: is it accepted?",
	Change: `"tcp: accept bare FIN packets under memory pressure" (2bd99aef1b19), undone by "tcp: do not accept packets beyond window" (9ca48d616ed7) until "tcp: re-enable acceptance of FIN packets when RWIN is 0" (1e3bb184e941)`,
	Answers: []Answer{
		{"accepted", "The FIN is accepted: the connection goes to CLOSE_WAIT."},
		{"dropped", "The FIN is dropped, and acknowledged as what is out of the window: the peer has to send it again until the program reads."},
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
			return s.agreed("dropped", observe.Counters{"TCPZeroWindowDrop+BeyondWindow": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
