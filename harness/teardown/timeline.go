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
	// Lost is true for a segment that the receiver's tap did not see.
	Lost bool
	// Notes say what is remarkable about it.
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
	arrived := slices.DeleteFunc(slices.Clone(x.End(from.Peer()).Sightings),
		func(seen segment.Sighting) bool { return seen.Sent })
	var events []Event
	own := x.End(from).Sightings
	for n, left := range own {
		if !left.Sent {
			continue
		}
		same := func(seen segment.Sighting) bool { return seen.Segment == left.Segment }
		again := all(own[n+1:], func(seen segment.Sighting) bool { return seen.Sent && same(seen) })
		none := len(again) < len(all(arrived, same)) // of them is lost
		e := Event{At: left.At, By: from, Text: x.notation(left.Segment), IsSegment: true, Lost: true}
		if i := slices.IndexFunc(arrived, same); i >= 0 && (none || arrived[i].At < again[0].At) {
			e.At, e.Lost = arrived[i].At, false
			arrived = slices.Delete(arrived, i, i+1)
		}
		e.Notes = t.notes(from, left, e.Text)
		events = append(events, e)
	}
	// What arrived more often than it left.
	for _, seen := range arrived {
		note := fmt.Sprintf("not sent by the %v", from)
		if slices.ContainsFunc(own, func(left segment.Sighting) bool { return left.Sent && left.Segment == seen.Segment }) {
			note = "arrives again"
		}
		events = append(events, Event{At: seen.At, By: from, Text: x.notation(seen.Segment), IsSegment: true, Notes: []string{note}})
	}
	return events
}

// notes say what is remarkable about a segment that a side sent.
func (t *Trial) notes(from segment.Side, left segment.Sighting, text string) []string {
	var notes []string
	same := func(seen segment.Sighting) bool { return seen.At == left.At && seen.Segment == left.Segment }
	again := t.sentBy(from)
	if i := slices.IndexFunc(t.Exchange.repetitions(from), func(r repetition) bool { return same(r.again) }); i >= 0 && i < len(again) {
		notes = append(notes, again[i].note())
	}
	// Where the tap saw more candidates than the kernel counted challenge
	// ACKs, nobody can tell which ones they are.
	refused := t.Exchange.refusals(from)
	if i := slices.IndexFunc(refused, func(r refusal) bool { return same(r.Sighting) }); i >= 0 && len(refused) == t.ChallengeACKs[from] {
		notes = append(notes, fmt.Sprintf("challenge ACK: the %s was not accepted", refused[i].of))
	}
	for _, o := range t.Overtook {
		switch {
		case o.From != from:
		case text == o.FastSegment:
			notes = append(notes, fmt.Sprintf("overtakes the %s", o.Slow))
		case text == o.SlowSegment:
			notes = append(notes, fmt.Sprintf("overtaken by the %s", o.Fast))
		}
	}
	for _, r := range t.Exchange.repetitions(from) {
		i := slices.IndexFunc(again, func(a Retransmission) bool { return a.Segment == t.Exchange.notation(r.again.Segment) })
		if same(r.earlier) && i >= 0 && again[i].Cause.By == from.Peer().String() {
			notes = append(notes, again[i].Cause.what())
		}
	}
	return notes
}

// sentBy are a side's retransmissions.
func (t *Trial) sentBy(s segment.Side) []Retransmission {
	return slices.DeleteFunc(slices.Clone(t.Retransmissions), func(r Retransmission) bool { return r.From != s })
}
