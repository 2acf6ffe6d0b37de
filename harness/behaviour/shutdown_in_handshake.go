package behaviour

import (
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
)

// A program cannot call shutdown() before its handshake is over, unless both ends have
// opened the connection at the same time (RFC 9293 section 3.5, figure 7), or by TCP Fast
// Open. RFC 9293 section 3.10.4 has a CLOSE in SYN_RECEIVED send a FIN at once, or wait
// for ESTABLISHED where something is queued (net/ipv4/tcp.c, tcp_shutdown).
var shutdownInHandshake = Question{
	Name: "shutdown-in-handshake",
	Text: "Both ends open a connection at the same time, and the program calls shutdown() in SYN_RECV: when is the FIN sent?",
	Change: &Change{
		Commit: "94062790aedb", Subject: "tcp: defer shutdown(SEND_SHUTDOWN) for TCP_SYN_RECV sockets",
		With: []string{"after the handshake"}, Without: []string{"at once"},
	},
	Answers: []Answer{
		{"after the handshake", "The call returns, and the FIN comes when the handshake is over."},
		{"at once", "The FIN comes before the handshake is over, from FIN_WAIT1."},
	},
	experiment: func(s *stage) string {
		s.connects()
		s.check(s.connect())
		both := func(seg segment.Segment) bool {
			return seg.Flags.Has(segment.SYN|segment.ACK) && seg.Ack == s.client.SndNxt
		}
		if answers := s.answer(0); !one(answers, both) {
			return s.unforeseen(answers)
		}
		s.reach("SYN_RECV")
		atCall := s.end(sock.ShutdownWrite)
		state := s.state()
		s.client.RcvNxt = s.numbers.Server + 1 // of a FIN that has come
		atACK := s.ask(s.next(0, 0))
		switch {
		case none(atCall) && state == "SYN_RECV" && one(atACK, isFIN):
			s.reach("FIN_WAIT1")
			return "after the handshake"
		case one(atCall, isFIN) && state == "FIN_WAIT1" && none(atACK):
			return "at once"
		default:
			return s.unforeseen(append(atCall, atACK...))
		}
	},
}
