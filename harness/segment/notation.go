package segment

import (
	"strconv"
)

// A Numbering counts sequence numbers from the connection's beginning, as
// packetdrill does: each side's SYN is 0, its first octet of data 1.
type Numbering struct {
	// Client and Server are the initial sequence numbers.
	Client, Server uint32
	// ClientPort tells the directions apart: the source port of what the
	// client sends.
	ClientPort uint16
}

// Relative returns the segment with its sequence, acknowledgement and SACK
// numbers counted from the beginning.
func (n Numbering) Relative(s Segment) Segment {
	own, other := n.origins(s)
	return s.shift(-own, -other)
}

// Absolute is the reverse of Relative.
func (n Numbering) Absolute(s Segment) Segment {
	own, other := n.origins(s)
	return s.shift(own, other)
}

// origins are the initial sequence numbers of the segment's sender and of its
// receiver.
func (n Numbering) origins(s Segment) (own, other uint32) {
	if s.Src.Port() == n.ClientPort {
		return n.Client, n.Server
	}
	return n.Server, n.Client
}

func (s Segment) shift(own, other uint32) Segment {
	s.Seq += own
	if s.Flags.Has(ACK) {
		s.Ack += other
	}
	for i := range s.Options.SACKBlocks {
		s.Options.SACK[i].Left += other
		s.Options.SACK[i].Right += other
	}
	return s
}

// String writes the segment in packetdrill's notation, without window and options:
// "F. 4416:4416(0) ack 753" is a FIN with sequence number 4416 and no
// data. The numbers are those of the segment; see Numbering for relative ones.
func (s Segment) String() string {
	out := make([]byte, 0, 64)
	out = append(out, s.Flags.String()...)
	out = append(out, ' ')
	out = strconv.AppendUint(out, uint64(s.Seq), 10)
	out = append(out, ':')
	out = strconv.AppendUint(out, uint64(s.Seq+uint32(s.Length)), 10)
	out = append(out, '(')
	out = strconv.AppendInt(out, int64(s.Length), 10)
	out = append(out, ')')
	if s.Flags.Has(ACK) {
		out = append(out, " ack "...)
		out = strconv.AppendUint(out, uint64(s.Ack), 10)
	}
	return string(out)
}
