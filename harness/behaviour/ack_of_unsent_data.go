package behaviour

import "github.com/finwait/finwait/harness/observe"

// RFC 9293 section 3.10.7.4, fifth check: "If the ACK acks something not yet sent
// (SEG.ACK > SND.NXT), then send an ACK, drop the segment, and return."
// (net/ipv4/tcp_input.c, tcp_ack)
var ackOfUnsentData = Question{
	Name: "ack-of-unsent-data",
	Text: "An ACK acknowledges one octet more than the server has sent: is it answered?",
	Change: &Change{
		Commit: "42726ec644cb", Subject: "tcp: send a challenge ACK on SEG.ACK > SND.NXT",
		With: []string{"challenge ACK"}, Without: []string{"nothing"},
	},
	Answers: []Answer{
		{"challenge ACK", "It is dropped, and answered by a challenge ACK, as RFC 9293 has it."},
		{"nothing", "It is dropped without a word."},
	},
	experiment: func(s *stage) string {
		s.open()
		s.respond(100)
		s.count()
		ack := s.next(0, 0)
		ack.Ack++
		switch answers := s.ask(ack); {
		case one(answers, acknowledges(ack.Seq)):
			return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		case none(answers):
			return s.agreed("nothing", observe.Counters{"TCPChallengeACK": 0})
		default:
			return s.unforeseen(answers)
		}
	},
}
