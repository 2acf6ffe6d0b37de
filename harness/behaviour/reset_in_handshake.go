package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A RST in the window that is not exactly the next in sequence may be a blind
// attacker's, and is to be answered by a challenge ACK (RFC 5961 section 3.2): older
// kernels do so once the handshake is done, not before (net/ipv4/tcp_minisocks.c,
// tcp_check_req).
var resetInHandshake = Question{
	Name: "reset-in-handshake",
	Text: "Before the last ACK of the handshake comes a RST in the window that is not the next in sequence: does it abort the handshake?",
	Change: &Change{
		Commit: "a28c4fcbf774", Subject: "tcp: challenge ACK for non-exact RST in SYN-RECEIVED",
		With: []string{"challenge ACK"}, Without: []string{"aborted"},
	},
	Answers: []Answer{
		{"aborted", "The server forgets the handshake, and answers its last ACK by a RST."},
		{"challenge ACK", "The RST is answered by a challenge ACK, and the handshake goes on."},
	},
	experiment: func(s *stage) string {
		s.listen()
		s.check(s.client.Synchronise(s.ctx))
		s.count()
		atRST := s.ask(segment.Segment{Flags: segment.RST, Seq: s.client.SndNxt + 1})
		atACK := s.ask(s.next(0, 0))
		switch {
		case none(atRST) && one(atACK, isRST):
			return s.agreed("aborted", observe.Counters{"EmbryonicRsts": 1})
		case one(atRST, acknowledges(s.client.SndNxt)) && none(atACK):
			s.accept()
			s.reach("ESTABLISHED")
			return s.agreed("challenge ACK", observe.Counters{"EmbryonicRsts": 0})
		default:
			return s.unforeseen(append(atRST, atACK...))
		}
	},
}
