// Package segment knows TCP segments: how to read one from a frame, how to
// write one down, and how to number it from the connection's beginning.
package segment

import "net/netip"

// A Segment is what the headers of a TCP segment say (RFC 9293 section 3.1).
// It holds no reference to the frame it was read from, and two Segments can be
// compared with ==.
type Segment struct {
	Src, Dst netip.AddrPort
	// Seq is the sequence number of the first octet, or of the SYN.
	Seq uint32
	// Ack is what is acknowledged; meaningless without ACK among the flags.
	Ack    uint32
	Flags  Flags
	Window uint16
	// Length is the number of payload octets, as the IP header tells it: a
	// frame that was cut short when it was captured has its full Length.
	Length  int
	Options Options
}

// Options are the TCP options that matter to a teardown; others are ignored.
type Options struct {
	// MSS is the maximum segment size in octets, 0 when absent (RFC 9293
	// section 3.7.1).
	MSS uint16
	// WindowScale is the shift count (RFC 7323 section 2).
	WindowScale    uint8
	HasWindowScale bool
	// SACKPermitted and SACK are RFC 2018's; the first SACKBlocks of SACK are
	// in use.
	SACKPermitted bool
	SACKBlocks    uint8
	SACK          [4]Block
	// TSVal and TSEcr are RFC 7323's timestamps.
	TSVal, TSEcr  uint32
	HasTimestamps bool
}

// A Block is one run of octets that arrived out of order: Left is its first
// sequence number, Right the one after its last.
type Block struct{ Left, Right uint32 }

// End is the sequence number after the segment: SYN and FIN count as one octet
// each.
func (s Segment) End() uint32 {
	end := s.Seq + uint32(s.Length)
	if s.Flags.Has(SYN) {
		end++
	}
	if s.Flags.Has(FIN) {
		end++
	}
	return end
}

// IsPureACK reports whether the segment acknowledges and does nothing else.
func (s Segment) IsPureACK() bool {
	return s.Flags.Has(ACK) && !s.Flags.Has(SYN) && !s.Flags.Has(FIN) && !s.Flags.Has(RST) && s.Length == 0
}

// Covers reports whether the segment acknowledges everything before seq.
func (s Segment) Covers(seq uint32) bool {
	return s.Flags.Has(ACK) && !Before(s.Ack, seq)
}

// Before compares sequence numbers modulo 2^32 (RFC 9293 section 3.4).
func Before(a, b uint32) bool { return int32(a-b) < 0 }
