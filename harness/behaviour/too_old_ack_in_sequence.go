package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// Data in sequence takes a short cut (net/ipv4/tcp_input.c, tcp_rcv_established), on
// which older kernels do not heed what tcp_ack says of its acknowledgement.
var tooOldACKInSequence = Question{
	Name:   "too-old-ack-in-sequence",
	Text:   "Data in sequence acknowledges less than the first octet of the connection: is it accepted?",
	Change: `the fast path of tcp_rcv_established() wants an acknowledgement between SND.UNA and SND.NXT`,
	Answers: []Answer{
		{"accepted", "The data is taken, as if its acknowledgement were merely old."},
		{"accepted, challenge ACK", "The acknowledgement is known to be none, yet the data is taken: the challenge ACK acknowledges it."},
		{"challenge ACK", "The data is dropped, and answered by a challenge ACK."},
	},
	experiment: func(s *stage) string {
		data := s.openWithOldACKs(segment.PSH, 10)
		answers := s.ask(data)
		n, _, err := s.server.ReadReady(make([]byte, 100))
		s.check(err)
		s.note("server: read %d octets", n)
		switch taken := n == data.Length; {
		case taken && one(answers, acknowledges(data.End())) && s.moved()["TCPChallengeACK"] == 0:
			return "accepted"
		case taken && one(answers, acknowledges(data.End())):
			return s.agreed("accepted, challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		case n == 0 && one(answers, acknowledges(data.Seq)):
			return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
