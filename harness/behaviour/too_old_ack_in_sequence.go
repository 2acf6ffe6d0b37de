package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// Data in sequence takes a short cut (net/ipv4/tcp_input.c, tcp_rcv_established), on
// which older kernels do not heed what tcp_ack says of its acknowledgement. Only what
// the socket has memory left for takes it, and that is so while other data waits to be
// read: since Linux 6.0 a socket gives back what it does not need
// (include/net/sock.h, sk_mem_uncharge).
var tooOldACKInSequence = Question{
	Name: "too-old-ack-in-sequence",
	Text: "Data in sequence acknowledges less than the first octet of the connection: is it accepted?",
	Change: &Change{
		Commit: "f81e6c3fb063", Subject: "tcp: exclude old ACKs from tcp fast path",
		With: []string{"challenge ACK"}, Without: []string{"accepted, challenge ACK"},
	},
	Answers: []Answer{
		{"accepted", "The data is taken, as if its acknowledgement were merely old."},
		{"accepted, challenge ACK", "The acknowledgement is known to be none, yet the data is taken: the challenge ACK acknowledges it."},
		{"challenge ACK", "The data is dropped, and answered by a challenge ACK."},
	},
	experiment: func(s *stage) string {
		s.openWithOldACKs()
		before := 1 + s.takeShortCut()
		s.count()
		data := s.tooOld(segment.PSH, 10)
		answers := s.ask(data)
		n, _, err := s.server.ReadReady(make([]byte, 100))
		s.check(err)
		s.note("server: read %d octets", n)
		switch taken := n == before+data.Length; {
		case taken && one(answers, acknowledges(data.End())) && s.moved()["TCPChallengeACK"] == 0:
			return "accepted"
		case taken && one(answers, acknowledges(data.End())):
			return s.agreed("accepted, challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		case n == before && one(answers, acknowledges(data.Seq)):
			return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}

// takeShortCut shows that data in sequence takes the fast path. It returns how many
// octets that was, which nobody has read.
func (s *stage) takeShortCut() (octets int) {
	s.count()
	data := s.next(segment.PSH, 10)
	if answers := s.ask(data); !one(answers, acknowledges(data.End())) {
		s.unforeseen(answers)
	}
	s.client.SndNxt = data.End()
	s.agreed("data in sequence takes the fast path", observe.Counters{"TCPHPHits": 1})
	return data.Length
}
