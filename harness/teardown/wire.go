package teardown

import (
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// fin returns the side's first FIN as its own tap saw it leave.
func (x *Exchange) fin(s Side) (segment.Sighting, bool) {
	return first(x.End(s).Sightings, func(seen segment.Sighting) bool {
		return seen.Sent && seen.Flags.Has(segment.FIN)
	})
}

// closedAt returns when the side had done its part: its own FIN was
// acknowledged, and it acknowledged the peer's. Both are taken from its own
// tap.
func (x *Exchange) closedAt(s Side) (time.Duration, bool) {
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
	for _, s := range Sides {
		if _, closed := x.closedAt(s); !closed {
			return false
		}
	}
	return true
}

// wasReset reports whether either side sent a RST.
func (x *Exchange) wasReset() bool {
	return slices.ContainsFunc(Sides[:], func(s Side) bool {
		return slices.ContainsFunc(x.End(s).Sightings, func(seen segment.Sighting) bool {
			return seen.Sent && seen.Flags.Has(segment.RST)
		})
	})
}

// A repetition is a segment that was sent again.
type repetition struct {
	again   segment.Sighting
	earlier segment.Sighting
}

// repetitions are the segments of a side that hold nothing it had not sent
// before, by its own tap. Every first transmission advances the sequence
// number (RFC 9293 section 3.8.1).
func (x *Exchange) repetitions(s Side) []repetition {
	var (
		out  []repetition
		sent []segment.Sighting
	)
	for _, seen := range x.End(s).Sightings {
		if !seen.Sent || seen.End() == seen.Seq {
			continue
		}
		for i := len(sent) - 1; i >= 0; i-- {
			if !segment.Before(sent[i].End(), seen.End()) {
				out = append(out, repetition{again: seen, earlier: sent[i]})
				break
			}
		}
		sent = append(sent, seen)
	}
	return out
}

// refusals are the pure ACKs by which a side asked for a FIN that it had
// already been given in sequence: what a challenge ACK looks like on the wire
// (RFC 5961 section 5).
func (x *Exchange) refusals(s Side) []segment.Sighting {
	var refused []segment.Sighting
	asked := map[uint32]bool{} // sequence numbers of the FINs received
	for _, seen := range x.End(s).Sightings {
		switch {
		case !seen.Sent && seen.Flags.Has(segment.FIN):
			asked[seen.Seq] = true
		case seen.Sent && seen.IsPureACK() && asked[seen.Ack]:
			refused = append(refused, seen)
		}
	}
	return refused
}

func first(sightings []segment.Sighting, match func(segment.Sighting) bool) (segment.Sighting, bool) {
	for _, s := range sightings {
		if match(s) {
			return s, true
		}
	}
	return segment.Sighting{}, false
}
