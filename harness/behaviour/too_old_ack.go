package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// An acknowledgement may be older than the last, but not by more than the largest
// window (RFC 5961 section 5.2). Newer kernels also know that one cannot be older than
// the connection: it would acknowledge what was never sent (net/ipv4/tcp_input.c,
// tcp_ack).
var tooOldACK = Question{
	Name: "too-old-ack",
	Text: "The peer's FIN acknowledges less than the first octet of the connection, though within a window of the last acknowledgement: is it accepted?",
	Change: &Change{
		Commit: "3d501dd326fb", Subject: "tcp: do not accept ACK of bytes we never sent",
		With: []string{"challenge ACK"}, Without: []string{"accepted"},
	},
	Answers: []Answer{
		{"accepted", "The FIN is accepted, as if its acknowledgement were merely old."},
		{"challenge ACK", "The FIN is dropped, and answered by a challenge ACK."},
	},
	experiment: func(s *stage) string {
		s.openWithOldACKs()
		s.count()
		fin := s.tooOld(segment.FIN, 0)
		switch answers := s.ask(fin); {
		case one(answers, acknowledges(fin.End())):
			s.reach("CLOSE_WAIT")
			return s.agreed("accepted", observe.Counters{"TCPChallengeACK": 0})
		case one(answers, acknowledges(fin.Seq)):
			s.reach("ESTABLISHED")
			return s.agreed("challenge ACK", observe.Counters{"TCPChallengeACK": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}

// response is how much of the server's the client acknowledges.
const response = 500

// openWithOldACKs opens a connection on which both ends have sent something, and
// shows that what acknowledges no more than the first octet is accepted there: an
// octet of data, which nobody reads.
func (s *stage) openWithOldACKs() {
	s.open()
	s.respond(response)
	old := s.next(segment.PSH, 1)
	old.Ack -= response
	if answers := s.ask(old); !one(answers, acknowledges(old.End())) {
		s.unforeseen(answers)
	}
	s.client.SndNxt = old.End()
}

// tooOld is a segment that comes next in sequence and acknowledges one less than that,
// which is the server's SYN.
func (s *stage) tooOld(flags segment.Flags, octets int) segment.Segment {
	seg := s.next(flags, octets)
	seg.Ack -= response + 1
	return seg
}
