package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// An ACK that was overtaken has an older timestamp than what came before it, so that it
// fails PAWS (RFC 7323 section 5), and is old news either way. RFC 7323 wants what fails
// PAWS acknowledged (net/ipv4/tcp_input.c, tcp_validate_incoming).
var oldACKFailingPAWS = Question{
	Name: "old-ack-failing-paws",
	Text: "In FIN_WAIT2 comes a pure ACK that later segments have overtaken, so that its timestamp fails PAWS: is it answered?",
	Change: &Change{
		Commit: "d16b34479064", Subject: "tcp: add LINUX_MIB_PAWS_OLD_ACK SNMP counter",
		With: []string{"nothing"}, Without: []string{"duplicate ACK"},
	},
	Answers: []Answer{
		{"duplicate ACK", "It is dropped, and answered by an ACK."},
		{"nothing", "It is dropped without a word."},
	},
	experiment: func(s *stage) string {
		s.openWithTimestamps()
		s.write(100)
		s.shutdown()
		s.ask(s.next(0, 0))
		s.reach("FIN_WAIT2")
		s.count()
		switch answers := s.ask(s.overtakenACK()); {
		case one(answers, acknowledges(s.client.SndNxt)):
			return s.agreed("duplicate ACK", observe.Counters{"PAWSEstab": 1, "PAWSOldAck": 0})
		case none(answers):
			return s.agreed("nothing", observe.Counters{"PAWSEstab": 0, "PAWSOldAck": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}

// overtakenACK is a pure ACK that was sent before the last octet, and before the
// connection's timestamps.
func (s *stage) overtakenACK() segment.Segment {
	old := s.next(0, 0)
	old.Seq--
	old.Options.HasTimestamps, old.Options.TSVal = true, stamp-100
	return old
}
