package wire

import (
	"errors"
	"fmt"
	"time"

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
	fired    bool
	held     *frame // what a hold keeps back
	released bool   // whether a hold has let go
}

// A frame on its way.
type frame struct {
	from   segment.Side
	octets []byte
}

// A delivery is a frame to be sent on, at once or later.
type delivery struct {
	frame
	after time.Duration
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

// take says what to do on a frame's arrival, in order. A frame that no rule
// names is delivered at once.
func (b *switchboard) take(f frame) []delivery {
	b.counts.Passed[f.from]++
	s, err := b.decoder.Decode(f.octets)
	switch {
	case errors.Is(err, segment.ErrNotTCP):
		return []delivery{{frame: f}}
	case err != nil:
		b.counts.Unreadable++
		return []delivery{{frame: f}}
	}
	if f.from == segment.Client && s.Flags.Has(segment.SYN) {
		b.tracker = segment.Tracker{}
	}
	return b.apply(f, b.tracker.See(f.from, s))
}

// apply lets the first rule act that picks the segment and has not acted yet.
func (b *switchboard) apply(f frame, seen segment.Seen) []delivery {
	for _, r := range b.rules {
		if r.fired || !seen.Is(r.what) {
			continue
		}
		r.fired = true
		switch r.act {
		case hold:
			r.held = &frame{from: f.from, octets: append([]byte(nil), f.octets...)}
			return nil
		case drop:
			return nil
		case duplicate:
			return append([]delivery{{frame: f}, {frame: f}}, b.release(seen)...)
		case delay:
			return []delivery{{frame: frame{from: f.from, octets: append([]byte(nil), f.octets...)}, after: r.by}}
		}
	}
	return append([]delivery{{frame: f}}, b.release(seen)...)
}

// release lets go of what waits for a segment that has just been delivered.
func (b *switchboard) release(delivered segment.Seen) []delivery {
	var out []delivery
	for _, r := range b.rules {
		if r.held != nil && !r.released && delivered.Is(r.until) {
			r.released = true
			out = append(out, delivery{frame: *r.held})
		}
	}
	return out
}

// unfinished names the first rule that did not do what it is for.
func (b *switchboard) unfinished() error {
	for _, r := range b.rules {
		switch {
		case !r.fired:
			return fmt.Errorf("the rule %q never fired", r.Rule)
		case r.act == hold && !r.released:
			return fmt.Errorf("the rule %q still holds its segment", r.Rule)
		}
	}
	return nil
}
