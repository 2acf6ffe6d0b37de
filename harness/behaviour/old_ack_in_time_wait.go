package behaviour

import "github.com/finwait/finwait/harness/observe"

// In TIME_WAIT whatever is not in sequence is acknowledged (RFC 9293 section 3.10.7.4),
// and what fails PAWS is as well (net/ipv4/tcp_minisocks.c, tcp_timewait_state_process). Newer kernels
// are silent while the socket is a full one: see oldACKFailingPAWS.
var oldACKInTimeWait = Question{
	Name: "old-ack-in-time-wait",
	Text: "In TIME_WAIT comes a pure ACK that later segments have overtaken, so that its timestamp fails PAWS: is it answered?",
	Answers: []Answer{
		{"duplicate ACK", "It is dropped, and answered by an ACK."},
		{"nothing", "It is dropped without a word."},
	},
	experiment: func(s *stage) string {
		s.openWithTimestamps()
		s.write(100)
		s.enterTimeWait()
		s.count()
		switch answers := s.ask(s.overtakenACK()); {
		case one(answers, acknowledges(s.client.SndNxt)):
			s.reach("TIME_WAIT")
			return s.agreed("duplicate ACK", observe.Counters{"PAWSEstab+PAWSTimewait": 1})
		case none(answers):
			s.reach("TIME_WAIT")
			return s.agreed("nothing", observe.Counters{"PAWSEstab+PAWSTimewait+PAWSOldAck": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
