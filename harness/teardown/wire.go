package teardown

import (
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// fin returns the side's first FIN as its own tap saw it leave.
func (x *Exchange) fin(s segment.Side) (segment.Sighting, bool) {
	return first(x.End(s).Sightings, func(seen segment.Sighting) bool {
		return seen.Sent && seen.Flags.Has(segment.FIN)
	})
}

// closedAt returns when the side had done its part: its own FIN was
// acknowledged, and it acknowledged the peer's. Both are taken from its own
// tap.
func (x *Exchange) closedAt(s segment.Side) (time.Duration, bool) {
	own, ok := x.fin(s)
	if !ok {
		return 0, false
	}
	theirs, ok := x.fin(s.Peer())
	if !ok {
		return 0, false
	}
	acked, ok := first(x.End(s).Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && seen.Covers(own.End())
	})
	if !ok {
		return 0, false
	}
	accepted, ok := first(x.End(s).Sightings, func(seen segment.Sighting) bool {
		return seen.Sent && seen.Covers(theirs.End())
	})
	if !ok {
		return 0, false
	}
	return max(acked.At, accepted.At), true
}

// Over reports whether nothing can be expected any more: both ends have done
// their part and know that the other has, or one has reset the connection.
func (x *Exchange) Over() bool {
	if x.wasReset() {
		return true
	}
	for _, s := range segment.Sides {
		if _, closed := x.closedAt(s); !closed {
			return false
		}
	}
	return true
}

// resets counts the RSTs that a side sent.
func (x *Exchange) resets(s segment.Side) (n int) {
	for _, seen := range x.End(s).Sightings {
		if seen.Sent && seen.Flags.Has(segment.RST) {
			n++
		}
	}
	return n
}

// wasReset reports whether either side sent a RST.
func (x *Exchange) wasReset() bool {
	return x.resets(segment.Client)+x.resets(segment.Server) > 0
}

// A repetition is a segment that was sent again.
type repetition struct {
	again segment.Sighting
	// earlier is the last segment before it that held some of the same.
	earlier segment.Sighting
}

// repetitions are the segments of a side, from the first closing call on, that
// hold nothing it had not sent before, by its own tap. A first transmission
// holds something new (RFC 9293 section 3.8.1), also one that its sender's
// qdisc let another overtake.
func (x *Exchange) repetitions(s segment.Side) []repetition {
	var (
		out  []repetition
		sent []segment.Sighting
	)
	begin := x.begin()
	for _, seen := range x.End(s).Sightings {
		if !seen.Sent || seen.End() == seen.Seq {
			continue
		}
		if earlier, repeated := covering(sent, seen); repeated && seen.At >= begin {
			out = append(out, repetition{again: seen, earlier: earlier})
		}
		sent = append(sent, seen)
	}
	return out
}

// covering reports whether all that a segment holds is held by earlier ones
// together, and returns the last of those.
func covering(sent []segment.Sighting, s segment.Sighting) (last segment.Sighting, covered bool) {
	newest := -1
	for from := s.Seq; segment.Before(from, s.End()); {
		i := len(sent) - 1
		for ; i >= 0; i-- {
			if !segment.Before(from, sent[i].Seq) && segment.Before(from, sent[i].End()) {
				break
			}
		}
		if i < 0 {
			return segment.Sighting{}, false
		}
		newest = max(newest, i)
		from = sent[i].End()
	}
	return sent[newest], true
}

// underWay reports whether a segment was sent again while the earlier one had not
// arrived yet, but was to. Where of segments that are the same to the letter not
// each arrived once, it cannot be told which did.
func (x *Exchange) underWay(s segment.Side, r repetition) bool {
	like := func(sent bool) func(segment.Sighting) bool {
		return func(seen segment.Sighting) bool { return seen.Sent == sent && seen.Segment == r.earlier.Segment }
	}
	left, arrived := all(x.End(s).Sightings, like(true)), all(x.End(s.Peer()).Sightings, like(false))
	if len(left) != len(arrived) {
		return false
	}
	for i, l := range left {
		if l.At == r.earlier.At && arrived[i].At > r.again.At {
			return true
		}
	}
	return false
}

// needless reports whether a segment was sent again only because the path, or the
// peer's delayed ACK, was slower than the timer: the peer had accepted it before,
// and none of the acknowledgements that say so was lost. Either it had sent one
// that arrived too late, or it counted that something old came (DelayedACKLost;
// net/ipv4/tcp_input.c, tcp_send_dupack).
func (x *Exchange) needless(s segment.Side, r repetition) bool {
	covers := func(sent bool) func(segment.Sighting) bool {
		return func(seen segment.Sighting) bool { return seen.Sent == sent && seen.Covers(r.again.End()) }
	}
	own, theirs := x.End(s).Sightings, x.End(s.Peer()).Sightings
	accepted, ok := first(theirs, covers(true))
	told, also := first(own, covers(false))
	if !ok || !also || len(all(theirs, covers(true))) != len(all(own, covers(false))) {
		return false
	}
	tooLate := accepted.At < r.again.At && r.again.At < told.At
	return tooLate || x.End(s.Peer()).Counters["DelayedACKLost"] > 0
}

// A refusal is a pure ACK that looks like a challenge ACK (RFC 5961).
type refusal struct {
	segment.Sighting
	of segment.Kind // what was not accepted
}

// refusals are the pure ACKs by which a side asked for what it had already been
// given in sequence (section 5), or that it sent after a RST, one for each (section
// 3.2): what a challenge ACK looks like on the wire.
func (x *Exchange) refusals(s segment.Side) []refusal {
	var refused []refusal
	begin := x.begin()
	given := map[uint32]bool{} // the sequence numbers at which segments began
	resets := 0                // that may still be answered
	for _, seen := range x.End(s).Sightings {
		switch {
		case !seen.Sent && seen.Flags.Has(segment.RST):
			resets++
		case !seen.Sent && seen.End() != seen.Seq:
			given[seen.Seq] = true
		case !seen.Sent || !seen.IsPureACK() || seen.At < begin:
		case given[seen.Ack]:
			refused = append(refused, refusal{seen, x.kindAt(s.Peer(), seen.Ack)})
		case resets > 0:
			refused = append(refused, refusal{seen, segment.KindRST})
			resets--
		}
	}
	return refused
}

// kindAt is what a side sent at a sequence number, a FIN or data.
func (x *Exchange) kindAt(s segment.Side, seq uint32) segment.Kind {
	if fin, ok := x.fin(s); ok && fin.Seq == seq {
		return segment.KindFIN
	}
	return segment.KindData
}

func all(sightings []segment.Sighting, match func(segment.Sighting) bool) (matching []segment.Sighting) {
	for _, s := range sightings {
		if match(s) {
			matching = append(matching, s)
		}
	}
	return matching
}

func first(sightings []segment.Sighting, match func(segment.Sighting) bool) (segment.Sighting, bool) {
	for _, s := range sightings {
		if match(s) {
			return s, true
		}
	}
	return segment.Sighting{}, false
}
