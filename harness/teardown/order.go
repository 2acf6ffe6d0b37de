package teardown

import (
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// A Kind is what a segment is to a teardown.
type Kind string

// The kinds of segments, from the one that says the most.
const (
	SYN      Kind = "SYN"
	RST      Kind = "RST"
	FIN      Kind = "FIN"
	Data     Kind = "data"
	ACKOfFIN Kind = "ACK of the FIN" // a pure ACK that covers the peer's FIN
	ACK      Kind = "ACK"            // a pure ACK that does not
)

// An Overtaking is a segment that arrived before one that its sender had sent
// earlier.
type Overtaking struct {
	// From is the sender of both.
	From Side `json:"from"`
	// Fast arrived before Slow and was sent after it.
	Fast Kind `json:"fast"`
	Slow Kind `json:"slow"`
}

// String is "client's ACK of the FIN overtakes its FIN".
func (o Overtaking) String() string {
	return fmt.Sprintf("the %v's %s overtakes its %s", o.From, o.Fast, o.Slow)
}

// A Sequence is one overtaking as it was seen.
type Sequence struct {
	Overtaking
	// At is the tap that saw it, which is the receiver's.
	At Side `json:"at"`
	// FastSegment and SlowSegment are in packetdrill's notation.
	FastSegment string `json:"fast_segment"`
	SlowSegment string `json:"slow_segment"`
}

// overtakings compares the order in which a side's segments arrived, by the
// receiver's tap, with the order in which they were made. The sender's tap
// does not tell the latter, since it sees what has passed the sender's qdisc;
// the numbers do: a connection's sequence, acknowledgement and timestamp
// numbers never go back from one new segment to the next. Segments that were
// sent again are left out: they are new as little as they are old.
func (x *Exchange) overtakings(from Side) []Sequence {
	var arrived []segment.Sighting
	again := x.repetitions(from)
	for _, seen := range x.End(from.Peer()).Sightings {
		if !seen.Sent && !slices.ContainsFunc(again, func(r repetition) bool { return r.again.Segment == seen.Segment }) {
			arrived = append(arrived, seen)
		}
	}
	var out []Sequence
	for i, slow := range arrived {
		for _, fast := range arrived[:i] {
			if !madeBefore(slow.Segment, fast.Segment) {
				continue
			}
			out = append(out, Sequence{
				Overtaking:  Overtaking{From: from, Fast: x.kind(from, fast.Segment), Slow: x.kind(from, slow.Segment)},
				At:          from.Peer(),
				FastSegment: x.notation(fast.Segment),
				SlowSegment: x.notation(slow.Segment),
			})
		}
	}
	return out
}

// madeBefore reports whether a was made before b by the same sender.
func madeBefore(a, b segment.Segment) bool {
	if segment.Before(b.Seq, a.Seq) || segment.Before(b.Ack, a.Ack) {
		return false
	}
	if a.Options.HasTimestamps && b.Options.HasTimestamps && segment.Before(b.Options.TSVal, a.Options.TSVal) {
		return false
	}
	return segment.Before(a.Seq, b.Seq) || segment.Before(a.Ack, b.Ack)
}

// kind says what a segment of a side is to this teardown.
func (x *Exchange) kind(from Side, s segment.Segment) Kind {
	switch {
	case s.Flags.Has(segment.SYN):
		return SYN
	case s.Flags.Has(segment.RST):
		return RST
	case s.Flags.Has(segment.FIN):
		return FIN
	case s.Length > 0:
		return Data
	}
	if fin, ok := x.fin(from.Peer()); ok && s.Covers(fin.End()) {
		return ACKOfFIN
	}
	return ACK
}

// notation writes a segment with relative numbers where the handshake was
// seen.
func (x *Exchange) notation(s segment.Segment) string {
	if n, ok := x.Numbering(); ok {
		s = n.Relative(s)
	}
	return s.String()
}
