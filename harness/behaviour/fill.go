package behaviour

import (
	"github.com/finwait/finwait/harness/segment"
)

// openWithLittleRoom opens a connection whose server has room for a few segments.
func (s *stage) openWithLittleRoom() {
	s.sysctl("net.ipv4.tcp_rmem", "4096 16384 16384")
	s.open()
}

// fill has the client send, and nobody read, until the server's window is so many
// octets. A window does not shrink (RFC 9293 section 3.8.6): it becomes less by what
// comes in.
func (s *stage) fill(window uint32) {
	const largest = 1460 // octets in a segment
	for room := s.room(); room > window; room = s.room() {
		data := s.next(segment.PSH, int(min(largest, room-window)))
		if answers := s.ask(data); !one(answers, acknowledges(data.End())) {
			s.unforeseen(answers)
		}
		s.client.SndNxt = data.End()
	}
	if room := s.room(); room != window {
		s.doubt("the window is %d octets, where the experiment wants it to be %d", room, window)
	}
}

// room is how many octets the client may still send.
func (s *stage) room() uint32 { return s.edge - s.client.SndNxt }
