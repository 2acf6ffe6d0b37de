package teardown

import (
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// An Overtaking is a segment that arrived before one that its sender had sent
// earlier.
type Overtaking struct {
	// From is the sender of both.
	From segment.Side `json:"from"`
	// Fast arrived before Slow and was sent after it.
	Fast segment.Kind `json:"fast"`
	Slow segment.Kind `json:"slow"`
}

// String is "the client's ACK of the FIN overtakes its FIN".
func (o Overtaking) String() string {
	return fmt.Sprintf("the %v's %s overtakes its %s", o.From, o.Fast, o.Slow)
}

// A Sequence is one overtaking as it was seen.
type Sequence struct {
	Overtaking
	// At is the tap that saw it, which is the receiver's.
	At segment.Side `json:"at"`
	// FastSegment and SlowSegment are in packetdrill's notation.
	FastSegment string `json:"fast_segment"`
	SlowSegment string `json:"slow_segment"`
}

// overtakings compares the order in which a side's segments arrived, by the
// receiver's tap, with the order in which they were made, from the first closing
// call on. The sender's tap does not tell the latter, since it sees what has
// passed the sender's qdisc; the numbers do: a connection's sequence,
// acknowledgement and timestamp numbers never go back from one new segment to
// the next. Segments that were sent again are left out, being new as little as
// they are old, and so are RSTs, which take their numbers from what they answer
// (RFC 9293 section 3.10.7).
func (x *Exchange) overtakings(from segment.Side) []Sequence {
	begin := x.begin()
	arrived := x.firstArrivals(from)
	var out []Sequence
	for i, slow := range arrived {
		if slow.At < begin {
			continue
		}
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

// firstArrivals are the segments of a side as they arrived, without RSTs, window
// probes and what was sent again. A segment may look like the one it repeats: as
// many copies are left out as were sent again, the last ones first.
func (x *Exchange) firstArrivals(from segment.Side) []segment.Sighting {
	probes := x.windowProbes(from)
	again := map[segment.Segment]int{}
	for _, r := range x.repetitions(from) {
		again[r.again.Segment]++
	}
	var out []segment.Sighting
	for _, seen := range slices.Backward(x.End(from.Peer()).Sightings) {
		switch {
		case seen.Sent || seen.Flags.Has(segment.RST) || probes[seen.Segment]:
		case again[seen.Segment] > 0:
			again[seen.Segment]--
		default:
			out = append(out, seen)
		}
	}
	slices.Reverse(out)
	return out
}

// windowProbes are the segments by which a side asks whether its peer's window is
// open, and keepalives: pure ACKs that step back, to right before what the peer
// has acknowledged, so that it has to answer (net/ipv4/tcp_output.c,
// tcp_xmit_probe_skb).
func (x *Exchange) windowProbes(from segment.Side) map[segment.Segment]bool {
	probes := map[segment.Segment]bool{}
	var (
		acknowledged uint32
		any          bool
	)
	for _, seen := range x.End(from).Sightings {
		switch {
		case !seen.Sent && seen.Flags.Has(segment.ACK) && (!any || segment.Before(acknowledged, seen.Ack)):
			acknowledged, any = seen.Ack, true
		case seen.Sent && any && seen.IsPureACK() && seen.Seq+1 == acknowledged:
			probes[seen.Segment] = true
		}
	}
	return probes
}

// madeBefore reports whether a was made before b by the same sender.
func madeBefore(a, b segment.Segment) bool {
	acked := a.Flags.Has(segment.ACK) && b.Flags.Has(segment.ACK)
	switch {
	case segment.Before(b.Seq, a.Seq), acked && segment.Before(b.Ack, a.Ack):
		return false
	case a.Options.HasTimestamps && b.Options.HasTimestamps && segment.Before(b.Options.TSVal, a.Options.TSVal):
		return false
	}
	return segment.Before(a.Seq, b.Seq) || acked && segment.Before(a.Ack, b.Ack)
}

// kind says what a segment of a side is to this teardown.
func (x *Exchange) kind(from segment.Side, s segment.Segment) segment.Kind {
	var peerFIN *uint32
	if fin, ok := x.fin(from.Peer()); ok {
		end := fin.End()
		peerFIN = &end
	}
	return s.Kind(peerFIN)
}

// notation writes a segment with relative numbers where the handshake was
// seen.
func (x *Exchange) notation(s segment.Segment) string {
	if n, ok := x.Numbering(); ok {
		s = n.Relative(s)
	}
	return s.String()
}
