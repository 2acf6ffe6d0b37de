package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// What is accepted and acknowledges nothing new may be remembered by its timestamp, or
// not (net/ipv4/tcp_input.c, tcp_ack, old_ack). What the ACK of it echoes is taken for
// a round trip by its receiver.
var echoOfLateFIN = Question{
	Name: "echo-of-late-fin",
	Text: "In FIN_WAIT2 comes the peer's FIN after its own ACK has overtaken it: whose timestamp does the answer echo?",
	Change: &Change{
		Commit: "1b92780ae4fc", Subject: "tcp: refresh TS.Recent for accepted old ACKs",
		With: []string{"that of the FIN"}, Without: []string{"an older one"},
	},
	Answers: []Answer{
		{"that of the FIN", "The FIN is accepted, and its timestamp echoed."},
		{"an older one", "The FIN is accepted, but what is echoed is the timestamp of what came in sequence before it."},
		{"not accepted", `The FIN is dropped, and answered by a challenge ACK: the kernel is without "net: tcp: accept old ack during closing" (795a7dfbc3d9).`},
	},
	experiment: func(s *stage) string {
		s.openWithTimestamps()
		s.write(100)
		fin := s.next(segment.FIN, 0)
		s.shutdown()
		ack := segment.Segment{Flags: segment.ACK, Seq: fin.End(), Ack: s.client.RcvNxt}
		fin.Options.HasTimestamps, fin.Options.TSVal = true, stamp+1
		ack.Options.HasTimestamps, ack.Options.TSVal = true, stamp+2
		if answers := s.ask(ack); !none(answers) {
			return s.unforeseen(answers)
		}
		s.reach("FIN_WAIT2")
		s.count()
		answers := s.ask(fin)
		switch {
		case one(answers, acknowledges(fin.Seq)):
			s.reach("FIN_WAIT2")
			return s.agreed("not accepted", observe.Counters{"TCPChallengeACK": 1})
		case !one(answers, acknowledges(fin.End())):
			return s.unforeseen(answers)
		}
		s.reach("TIME_WAIT")
		switch echoed := answers[0].Options.TSEcr; echoed {
		case fin.Options.TSVal:
			return s.agreed("that of the FIN", observe.Counters{"TCPChallengeACK": 0})
		case stamp:
			return s.agreed("an older one", observe.Counters{"TCPChallengeACK": 0})
		default:
			s.doubt("what is echoed is %d, which is on neither", echoed)
			return ""
		}
	},
}
