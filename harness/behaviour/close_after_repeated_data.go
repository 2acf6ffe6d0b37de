package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A close() with something unread sends a RST (RFC 2525 section 2.17). A segment that
// repeats what has been read and adds a FIN is queued whole for the FIN's sake
// (net/ipv4/tcp_input.c, tcp_data_queue), and older kernels count its octets as unread
// (net/ipv4/tcp.c, __tcp_close).
var closeAfterRepeatedData = Question{
	Name: "close-after-repeated-data",
	Text: "The program has read everything, and the peer sends the last of it again, now with its FIN: what does close() send?",
	Change: &Change{
		Commit: "5f9238530970", Subject: "tcp: fix __tcp_close() to only send RST when required",
		With: []string{"FIN"}, Without: []string{"RST"},
	},
	Answers: []Answer{
		{"FIN", "Nothing is unread, and the connection ends in order."},
		{"RST", "What was read long ago passes for unread, and the connection is aborted."},
	},
	experiment: func(s *stage) string {
		s.open()
		request := s.write(1000)
		request.Flags |= segment.FIN
		s.ask(request)
		s.reach("CLOSE_WAIT")
		s.count()
		switch answers := s.close(); {
		case one(answers, isFIN):
			return s.agreed("FIN", observe.Counters{"TCPAbortOnClose": 0})
		case one(answers, isRST):
			return s.agreed("RST", observe.Counters{"TCPAbortOnClose": 1})
		default:
			return s.unforeseen(answers)
		}
	},
}
