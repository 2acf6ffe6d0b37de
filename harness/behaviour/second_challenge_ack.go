package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// provocation is a RST in the window that is not the next in sequence, which asks for
// a challenge ACK (RFC 5961 section 3.2).
func (s *stage) provocation() segment.Segment {
	return segment.Segment{Flags: segment.RST, Seq: s.client.SndNxt + 1}
}

// challenged reports whether the answer is a challenge ACK.
func (s *stage) challenged(answers []segment.Segment) bool {
	return one(answers, acknowledges(s.client.SndNxt))
}

// Each connection has at most one challenge ACK in tcp_invalid_ratelimit (500 ms), lest
// two hosts challenge each other for ever (net/ipv4/tcp_input.c,
// tcp_send_challenge_ack and __tcp_oow_rate_limited). It has been so by default in every
// kernel that was asked.
var secondChallengeACK = Question{
	Name: "second-challenge-ack",
	Text: "Two RSTs follow one another that each ask for a challenge ACK: does the second get one?",
	Answers: []Answer{
		{"nothing", "The second is not answered, so close behind the first."},
		{"challenge ACK", "Each is answered."},
	},
	experiment: func(s *stage) string {
		s.open()
		s.count()
		if first := s.ask(s.provocation()); !s.challenged(first) {
			return s.unforeseen(first)
		}
		switch answers := s.ask(s.provocation()); {
		case none(answers):
			return s.agreed("nothing", observe.Counters{"TCPChallengeACK": 1, "TCPACKSkippedChallenge": 1})
		case s.challenged(answers):
			return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 2, "TCPACKSkippedChallenge": 0})
		default:
			return s.unforeseen(answers)
		}
	},
}
