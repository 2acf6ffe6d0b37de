package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// A switchboard decides what becomes of each frame. It is pure: it knows
// frames, but neither sockets nor clocks.
type switchboard struct {
	decoder *segment.Decoder
	tracker segment.Tracker
	rules   []*armed
	counts  Counts
}

// An armed rule, and what has come of it.
type armed struct {
	Rule
	fired   bool
	held    *frame // what a hold keeps back
	reached bool   // whether what a hold waits for has been delivered
	late    int    // how many segments a delay still keeps
}

// A frame on its way.
type frame struct {
	from   segment.Side
	octets []byte
	seen   segment.Seen // where it holds a segment
	delay  *armed       // the rule that delays it, if one does
}

// keep returns the frame with octets of its own.
func (f frame) keep() *frame {
	f.octets = append([]byte(nil), f.octets...)
	return &f
}

// Counts is what a wire has seen.
type Counts struct {
	// Passed is how many frames came in from each side.
	Passed [2]int
	// Unreadable is how many of them had headers that contradict themselves;
	// they are passed on like any other frame.
	Unreadable int
}

func newSwitchboard() *switchboard { return &switchboard{decoder: segment.NewDecoder()} }

// arm puts rules in place of those before. What these held is lost to the
// connection, which is over.
func (b *switchboard) arm(rules []Rule) {
	b.rules = nil
	for _, r := range rules {
		b.rules = append(b.rules, &armed{Rule: r})
	}
}

// take says what to send on a frame's arrival, in order; what has a delay, later.
// A frame that no rule names is sent at once.
func (b *switchboard) take(f frame) []frame {
	b.counts.Passed[f.from]++
	s, err := b.decoder.Decode(f.octets)
	switch {
	case errors.Is(err, segment.ErrNotTCP):
		return []frame{f}
	case err != nil:
		b.counts.Unreadable++
		return []frame{f}
	}
	if f.from == segment.Client && s.Flags.Has(segment.SYN) {
		b.tracker = segment.Tracker{}
	}
	f.seen = b.tracker.See(f.from, s)
	return b.apply(f)
}

// apply lets the first rule act that picks the segment and has not acted yet.
func (b *switchboard) apply(f frame) []frame {
	for _, r := range b.rules {
		if r.fired || !f.seen.Is(r.what) {
			continue
		}
		r.fired = true
		switch r.act {
		case hold:
			if r.reached {
				break // what it would wait for has been delivered
			}
			r.held = f.keep()
			return nil
		case drop:
			return nil
		case duplicate:
			return append([]frame{f}, b.deliver(f)...)
		case delay:
			r.late++
			late := f.keep()
			late.delay = r
			return []frame{*late}
		}
		break
	}
	return b.deliver(f)
}

// due is what to send when a delayed frame's time has come.
func (b *switchboard) due(f frame) []frame {
	f.delay.late--
	f.delay = nil
	return b.deliver(f)
}

// deliver is a frame and all that waits for it.
func (b *switchboard) deliver(f frame) []frame {
	out := []frame{f}
	b.tracker.Delivered(f.seen)
	for _, r := range b.rules {
		if r.act != hold || r.reached || !f.seen.Is(r.until) {
			continue
		}
		r.reached = true
		if r.held != nil {
			out = append(out, b.deliver(*r.held)...)
			r.held = nil
		}
	}
	return out
}

// idle reports whether no rule keeps anything.
func (b *switchboard) idle() bool {
	return !slices.ContainsFunc(b.rules, func(r *armed) bool { return r.held != nil || r.late > 0 })
}

// unfinished names the first rule that did not do what it is for.
func (b *switchboard) unfinished() error {
	for _, r := range b.rules {
		switch {
		case !r.fired:
			return fmt.Errorf("the rule %q never fired", r.Rule)
		case r.held != nil || r.late > 0:
			return fmt.Errorf("the rule %q still keeps its segment", r.Rule)
		}
	}
	return nil
}
