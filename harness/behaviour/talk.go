package behaviour

import (
	"fmt"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
)

// send sends a segment of the client's.
func (s *stage) send(seg segment.Segment) { s.check(s.client.Send(seg)) }

// ask sends a segment of the client's and returns what the server answers.
func (s *stage) ask(seg segment.Segment) []segment.Segment {
	s.send(seg)
	return s.settle()
}

// settle returns what the server has sent that was not yet taken.
func (s *stage) settle() []segment.Segment {
	answers, err := s.client.Settle(s.ctx)
	s.check(err)
	return answers
}

// next is a segment of the client's that comes next in sequence and acknowledges all.
func (s *stage) next(flags segment.Flags, octets int) segment.Segment {
	return segment.Segment{Flags: flags | segment.ACK, Seq: s.client.SndNxt, Ack: s.client.RcvNxt, Length: octets}
}

// write has the client send octets that the server's program reads, and returns the
// segment.
func (s *stage) write(octets int) segment.Segment {
	seg := s.next(0, octets)
	s.send(seg)
	s.client.SndNxt = seg.End()
	s.check(s.server.Read(octets))
	s.note("server: read %d octets", octets)
	s.settle()
	return seg
}

// say has the server's program send octets, which the client takes.
func (s *stage) say(octets int) {
	s.note("server: write %d octets", octets)
	s.check(s.server.Write(make([]byte, octets)))
	s.settle()
}

// respond has the server's program send octets, and the client acknowledge them.
func (s *stage) respond(octets int) {
	s.say(octets)
	s.check(s.client.Read(s.ctx, octets))
	s.settle()
}

// shutdown is the server's shutdown(SHUT_WR); the client takes what it sends.
func (s *stage) shutdown() { s.end(sock.ShutdownWrite) }

// close is the server's close().
func (s *stage) close() []segment.Segment { return s.end(sock.Close) }

// end ends the connection and returns what the server sends.
func (s *stage) end(how sock.Closing) []segment.Segment {
	s.note("server: %s", how.Name)
	_, err := s.server.End(how)
	s.check(err)
	return s.settle()
}

// show writes down a segment, with its numbers from the connection's beginning.
func (s *stage) show(seg segment.Segment) {
	arrow := "<"
	if seg.Src == s.client.Local {
		arrow = ">"
	}
	if seg.Flags.Has(segment.SYN) {
		if s.numbers.ClientPort = s.client.Local.Port(); arrow == ">" {
			s.numbers.Client = seg.Seq
		} else {
			s.numbers.Server = seg.Seq
		}
	}
	if arrow == "<" {
		s.edge = seg.Ack + uint32(seg.Window)
	}
	line := fmt.Sprintf("%s %v win %d", arrow, s.numbers.Relative(seg), seg.Window)
	if seg.Options.HasTimestamps {
		line += fmt.Sprintf(" TS %d ecr %d", seg.Options.TSVal, seg.Options.TSEcr)
	}
	s.note("%s", line)
}
