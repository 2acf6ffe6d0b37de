package wire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
)

// A switchboard decides what becomes of each frame. It is pure: it knows
// frames, but neither sockets nor clocks.
type switchboard struct {
	decoder    *segment.Decoder
	tracker    segment.Tracker
	connection connection
	rules      []*armed
	counts     Counts
}

// A frame on its way.
type frame struct {
	from   segment.Side
	octets []byte
	came   clock.Instant
	seen   segment.Seen // where it holds a segment
	rule   *armed       // the one that acts on it, if one does
	kept   bool         // whether it leaves when a rule says so: it was kept back, or made
	freed  bool         // whether rules were armed after it had come
}

// keep returns the frame with octets of its own.
func (f frame) keep() frame {
	f.octets = slices.Clone(f.octets)
	return f
}

// free takes the frame out of the reach of all rules.
func (f *frame) free() { f.rule, f.kept, f.freed = nil, true, true }

// later is how much longer than others the frame has to be under way.
func (f frame) later() time.Duration {
	if f.rule == nil {
		return 0
	}
	return f.rule.by
}

// Counts is what a wire has seen since it was opened.
type Counts struct {
	// Passed is how many frames came in from each side.
	Passed [2]int
	// Unreadable is how many of them had headers that contradict themselves;
	// they are passed on like any other frame.
	Unreadable int
	// LongestStay is the longest time that a frame was in the wire beyond what the
	// wire takes anyhow, since rules were armed last: from when the kernel received
	// it until it had been sent on, or until a hold or a swap took it. What a rule
	// takes, by a delay as well, is not counted.
	LongestStay time.Duration
}

func newSwitchboard() *switchboard { return &switchboard{decoder: segment.NewDecoder()} }

// arm puts rules in place of those before. What these held is lost to the
// connection, which is over.
func (b *switchboard) arm(rules []Rule) {
	b.rules = nil
	b.counts.LongestStay = 0
	b.add(rules)
}

// add puts rules in place beside those that there are, behind them.
func (b *switchboard) add(rules []Rule) {
	for _, r := range rules {
		b.rules = append(b.rules, &armed{Rule: r})
	}
}

// enter takes in a frame that has come, and finds the rule that acts on it: the
// first that picks its segment and is not done yet. A frame that is dropped is
// not to go on.
func (b *switchboard) enter(f frame) (_ frame, goesOn bool) {
	b.counts.Passed[f.from]++
	s, err := b.decoder.Decode(f.octets)
	switch {
	case errors.Is(err, segment.ErrNotTCP):
		return f, true
	case err != nil:
		b.counts.Unreadable++
		return f, true
	}
	if f.from == segment.Client && s.Flags.Has(segment.SYN) {
		b.tracker, b.connection = segment.Tracker{}, connection{}
	}
	b.connection.learn(f.from, s, f.octets)
	f.seen = b.tracker.See(f.from, s)
	for _, r := range b.rules {
		if r.picks(f.seen) {
			f.rule = r
			return f, r.act != drop
		}
	}
	return f, true
}

// leave says what to send now that a frame has come to the wire's other end, in
// order: it, twice if need be, and what waits for it; nothing if it has to wait.
// A frame that no rule names is sent at once.
func (b *switchboard) leave(f frame) []frame {
	r := f.rule
	if r == nil {
		return b.deliver(f)
	}
	switch r.act {
	case hold, swap:
		if !r.reached { // else what it would wait for has been delivered
			held := f.keep()
			held.kept = true
			r.held = &held
			return nil
		}
	case duplicate:
		return append([]frame{f}, b.deliver(f)...)
	case delay:
		r.delayed = false
	}
	return b.deliver(f)
}

// deliver is a frame and all that waits for it.
func (b *switchboard) deliver(f frame) []frame {
	b.tracker.Delivered(f.seen)
	out := []frame{f}
	for _, r := range b.rules {
		if f.freed || !r.awaits(f.seen) {
			continue
		}
		r.reached = true
		if r.held != nil {
			out = append(out, b.deliver(*r.held)...)
			r.held = nil
		}
		if r.act == inject {
			if own, made := r.make(&b.connection); made {
				out = append(out, own)
			}
		}
	}
	return out
}

// letGo ends the holds that are to be released when a segment comes, which has come to the
// wire's other end, and returns what they held.
func (b *switchboard) letGo(f frame) []frame {
	for _, r := range b.rules {
		if f.freed || r.act != release || r.fired || !f.seen.Is(r.other) {
			continue
		}
		r.fired = true
		for _, held := range b.rules {
			held.reached = held.reached || held.told && held.what.String() == r.what.String()
		}
	}
	return b.released()
}

// release ends a hold that waits for it, and reports whether something was held.
func (b *switchboard) release(rule Rule) (held bool) {
	for _, r := range b.rules {
		if r.told && r.text == rule.text {
			r.reached = true
			held = held || r.held != nil
		}
	}
	return held
}

// released is what was held, and is to be sent now that it no longer is, in the order in
// which it came.
func (b *switchboard) released() (out []frame) {
	var freed []frame
	for _, r := range b.rules {
		if r.told && r.reached && r.held != nil {
			freed = append(freed, *r.held)
			r.held = nil
		}
	}
	slices.SortStableFunc(freed, func(a, b frame) int { return cmp.Compare(a.came, b.came) })
	for _, f := range freed {
		out = append(out, b.deliver(f)...)
	}
	return out
}

// idle reports whether no rule keeps anything.
func (b *switchboard) idle() bool { return !slices.ContainsFunc(b.rules, (*armed).keeps) }

// unfinished names the first rule that did not do what it is for.
func (b *switchboard) unfinished() error {
	for _, r := range b.rules {
		switch {
		case r.failed != nil:
			return fmt.Errorf("the rule %q failed: %w", r.Rule, r.failed)
		case !r.fired && !r.maybe:
			return fmt.Errorf("the rule %q never fired", r.Rule)
		case r.keeps():
			return fmt.Errorf("the rule %q still keeps its segment", r.Rule)
		}
	}
	return nil
}
