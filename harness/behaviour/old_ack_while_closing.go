package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// What acknowledges less than was acknowledged already has been overtaken, and is
// acceptable (RFC 5961 section 5.2). Older kernels take it for unacceptable once a
// connection is no longer ESTABLISHED (net/ipv4/tcp_input.c, tcp_rcv_state_process).
var oldACKWhileClosing = Question{
	Name: "old-ack-while-closing",
	Text: "The program has called shutdown(), and the peer's FIN comes after a later ACK has overtaken it: is it accepted?",
	Change: &Change{
		Commit: "795a7dfbc3d9", Subject: "net: tcp: accept old ack during closing",
		With: []string{"accepted"}, Without: []string{"challenge ACK"},
	},
	Answers: []Answer{
		{"accepted", "The FIN is accepted, in FIN_WAIT1 as in FIN_WAIT2."},
		{"challenge ACK", "The FIN is dropped, and answered by a challenge ACK: the peer has to send it again."},
	},
	experiment: func(s *stage) string {
		s.open()
		fin := s.next(segment.FIN, 0)
		s.shutdown()
		s.overtake(fin, s.client.RcvNxt)
		inFINWAIT2 := s.takes(fin, "FIN_WAIT2", "TIME_WAIT")

		// Where data is acknowledged and the server's FIN is not, it stays in FIN_WAIT1.
		other := s.stage()
		other.open()
		fin = other.next(segment.FIN, 0)
		other.say(10)
		said := other.client.RcvNxt
		other.shutdown()
		other.overtake(fin, said)
		if inFINWAIT1 := other.takes(fin, "FIN_WAIT1", "CLOSING"); inFINWAIT1 != inFINWAIT2 {
			s.doubt("in FIN_WAIT2 the answer is %q, and in FIN_WAIT1 %q", inFINWAIT2, inFINWAIT1)
		}
		return inFINWAIT2
	},
}

// overtake sends an ACK that was sent after the client's FIN, and comes before it.
func (s *stage) overtake(fin segment.Segment, acknowledged uint32) {
	if answers := s.ask(segment.Segment{Flags: segment.ACK, Seq: fin.End(), Ack: acknowledged}); !none(answers) {
		s.unforeseen(answers)
	}
}

// takes is how the server takes the FIN that was overtaken: it goes on from one state to
// the next, or stays.
func (s *stage) takes(fin segment.Segment, from, to observe.State) string {
	s.reach(from)
	s.count()
	switch answers := s.ask(fin); {
	case one(answers, acknowledges(fin.End())):
		s.reach(to)
		return s.agreed("accepted", observe.Counters{"TCPChallengeACK": 0})
	case one(answers, acknowledges(fin.Seq)):
		s.reach(from)
		return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 1})
	default:
		return s.unforeseen(answers)
	}
}
