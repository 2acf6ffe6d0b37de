package teardown

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// An Event is one thing that happened in a teardown: a closing call, the end
// of the peer's data reaching a program, a state, or a segment.
type Event struct {
	// At is when it happened; for a segment, when it arrived, or when it left
	// if it did not arrive.
	At time.Duration
	// By is the side that called, read, or sent.
	By segment.Side
	// Text is the call, or the segment in packetdrill's notation.
	Text string
	// IsSegment and IsState tell segments and states from what programs did.
	IsSegment, IsState bool
	// Left is when a segment left; where it was held so near to its sender that the
	// sender's tap came after, when it was made.
	Left time.Duration
	// Lost is true for a segment that the receiver's tap did not see, Overtaken for
	// one that arrived after another that was made later, and Copy for one that
	// arrived without having been sent so often. Dropped is true where its receiver
	// made away with it, so that it was sent again.
	Lost, Overtaken, Copy, Dropped bool
	// Again is what is known of a segment that was sent again; nil for every other. Since
	// is when the one that it repeats arrived, or left if it did not arrive: from then
	// on, time went by in vain.
	Again *Retransmission
	Since time.Duration
	// Notes say what is remarkable about it: that it was sent again first, that it was
	// dropped last.
	Notes []string
}

// Timeline puts everything that happened from the first closing call on into
// one order.
func (t *Trial) Timeline() []Event {
	x := t.Exchange
	from := x.begin()
	var events []Event
	for _, s := range segment.Sides {
		end := x.End(s)
		if end.Call != "" {
			events = append(events, Event{At: end.CalledAt, By: s, Text: end.Call})
		}
		if end.EOF != nil {
			events = append(events, Event{At: *end.EOF, By: s, Text: "read EOF"})
		}
		events = append(events, t.states(s)...)
		events = append(events, t.segments(s)...)
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return e.At < from })
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return events
}

// states are the steps of an end's path, and which sources saw them.
func (t *Trial) states(s segment.Side) []Event {
	var events []Event
	for _, step := range t.Paths[s] {
		note := list(step.Sources)
		if len(step.Blind) > 0 {
			note += " (" + list(step.Blind) + ": CLOSE)"
		}
		events = append(events, Event{At: step.At, By: s, Text: step.State, IsState: true, Notes: []string{note}})
	}
	return events
}

func list(sources []Source) string {
	var names []string
	for _, source := range sources {
		names = append(names, string(source))
	}
	return strings.Join(names, ", ")
}

// segments pairs what left a side with what arrived at its peer. Where one
// segment repeats another to the letter, what arrived before the second left can
// only be the first; and what arrived after that is the first only if there is an
// arrival for each that still leaves.
func (t *Trial) segments(from segment.Side) []Event {
	x := t.Exchange
	var events []Event
	own, peers, k := x.End(from).Sightings, x.End(from.Peer()).Sightings, t.knownOf(from)
	leaving, arriving := places(own, true), places(peers, false)
	first := map[segment.Segment]segment.Sighting{}
	for _, left := range own {
		if !left.Sent {
			continue
		}
		again, arrived := leaving[left.Segment][1:], arriving[left.Segment]
		leaving[left.Segment] = again
		if _, before := first[left.Segment]; !before {
			first[left.Segment] = left
		}
		none := len(again) < len(arrived) // of them is lost
		e := Event{At: left.At, By: from, Text: x.notation(left.Segment), IsSegment: true, Lost: true}
		e.Again, e.Since = t.again(k, left)
		e.Left, e.Overtaken = t.made(from, left, e)
		if len(arrived) > 0 && (none || peers[arrived[0]].At < own[again[0]].At) {
			e.At, e.Lost = peers[arrived[0]].At, false
			arriving[left.Segment] = arrived[1:]
		}
		e.Notes = t.notes(k, left, e)
		if dropped := t.dropped(k, left); len(dropped) > 0 {
			e.Notes, e.Dropped = append(e.Notes, dropped...), true
		}
		events = append(events, e)
	}
	// What arrived more often than it left.
	for i, seen := range peers {
		if seen.Sent || !slices.Contains(arriving[seen.Segment], i) {
			continue
		}
		e := Event{At: seen.At, Left: seen.At, By: from, Text: x.notation(seen.Segment), IsSegment: true, Copy: true}
		e.Notes = []string{fmt.Sprintf("not sent by the %v", from)}
		if left, sent := first[seen.Segment]; sent {
			e.Left, e.Notes = min(left.At, seen.At), []string{"arrives again"}
		}
		events = append(events, e)
	}
	return events
}

// places are where each segment stands that a tap saw leave, or arrive, in the order of time.
func places(sightings []segment.Sighting, sent bool) map[segment.Segment][]int {
	at := map[segment.Segment][]int{}
	for i, s := range sightings {
		if s.Sent == sent {
			at[s.Segment] = append(at[s.Segment], i)
		}
	}
	return at
}

// made is when a segment that a side's tap saw leave was made, and whether one that
// was made later arrived before it. A tap sees what its host's qdisc has let go: of
// what was overtaken in there, it tells too late. A FIN is made when its sender
// leaves ESTABLISHED or CLOSE_WAIT, everything else before what overtook it left.
func (t *Trial) made(from segment.Side, left segment.Sighting, e Event) (at time.Duration, overtaken bool) {
	at = left.At
	if e.Again != nil {
		return at, false
	}
	for _, o := range t.Overtook {
		if o.From != from || o.SlowSegment != e.Text {
			continue
		}
		overtaken = true
		for _, seen := range t.Exchange.End(from).Sightings {
			if seen.Sent && seen.At < at && t.Exchange.notation(seen.Segment) == o.FastSegment {
				at = seen.At
			}
		}
	}
	if at == left.At || !left.Flags.Has(segment.FIN) {
		return at, overtaken
	}
	for _, step := range t.Paths[from] {
		if (step.State == "FIN_WAIT1" || step.State == "LAST_ACK") && step.At < at {
			return step.At, overtaken
		}
	}
	return at, overtaken
}

// again is what is known of a sighting by which a side sent something again, and since
// when it would have had to; nil where it sent something new.
func (t *Trial) again(k known, left segment.Sighting) (*Retransmission, time.Duration) {
	for i, r := range k.repeated {
		if i >= len(k.again) || r.again.At != left.At || r.again.Segment != left.Segment {
			continue
		}
		if arrived, ok := t.Exchange.arrival(k.from, r); ok {
			return &k.again[i], arrived.At
		}
		return &k.again[i], r.earlier.At
	}
	return nil, 0
}

// notes say what is remarkable about a segment that a side sent.
func (t *Trial) notes(k known, left segment.Sighting, e Event) []string {
	var notes []string
	same := func(seen segment.Sighting) bool { return seen.At == left.At && seen.Segment == left.Segment }
	if e.Again != nil {
		notes = append(notes, e.Again.note())
	}
	// Where the tap saw more candidates than the kernel counted challenge
	// ACKs, nobody can tell which ones they are.
	if i := slices.IndexFunc(k.refused, func(r refusal) bool { return same(r.Sighting) }); i >= 0 && len(k.refused) == t.ChallengeACKs[k.from] {
		notes = append(notes, fmt.Sprintf("challenge ACK: the %s was not accepted", k.refused[i].of))
	}
	for _, o := range t.Overtook {
		switch {
		case o.From != k.from:
		case e.Text == o.FastSegment:
			notes = append(notes, fmt.Sprintf("overtakes the %s", o.Slow))
		case e.Text == o.SlowSegment:
			notes = append(notes, fmt.Sprintf("overtaken by the %s", o.Fast))
		}
	}
	return notes
}

// dropped says where and why a segment that a side sent was dropped by its receiver,
// once for each time that it was sent again for that.
func (t *Trial) dropped(k known, left segment.Sighting) []string {
	var notes []string
	for _, r := range k.repeated {
		i := slices.IndexFunc(k.again, func(a Retransmission) bool { return a.Segment == t.Exchange.notation(r.again.Segment) })
		if r.earlier.At == left.At && r.earlier.Segment == left.Segment && i >= 0 && k.again[i].Cause.By == k.from.Peer().String() {
			notes = append(notes, k.again[i].Cause.what())
		}
	}
	return notes
}

// What is known of what a side sent again, and of what it refused: once for all of its
// segments, of which there may be thousands.
type known struct {
	from     segment.Side
	again    []Retransmission
	repeated []repetition
	refused  []refusal
}

func (t *Trial) knownOf(from segment.Side) known {
	return known{
		from:     from,
		again:    slices.DeleteFunc(slices.Clone(t.Retransmissions), func(r Retransmission) bool { return r.From != from }),
		repeated: t.Exchange.repetitions(from),
		refused:  t.Exchange.refusals(from),
	}
}
