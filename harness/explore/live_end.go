package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/wire"
)

// End implements Execution.
func (x *execution) End(context.Context) (Result, error) {
	err := x.still()
	if err == nil {
		err = x.look()
	}
	if err != nil {
		x.failed = true
		return Result{}, fmt.Errorf("end an execution: %w", err)
	}
	r := Result{
		Outcome: x.outcome(), Steps: x.steps,
		States: map[segment.Side]string{}, Paths: map[segment.Side][]string{},
	}
	for _, side := range segment.Sides {
		r.States[side], r.Paths[side] = describe(x.ends[side].status), x.ends[side].path
	}
	x.hold(r.Outcome)
	r.Broken = x.broken
	return r, nil
}

// outcome reads off how it stands. When both ends are through, no segment on the wire can
// change that. As long as they are not, and there are calls to be made or segments to be
// delivered, all is open. After that only a timer helps, and where an end has none, nothing.
func (x *execution) outcome() teardown.Outcome {
	switch {
	case x.over() && !x.reset:
		return teardown.Clean
	case x.undecided() && !x.over():
		return teardown.Inconclusive
	case x.over(), x.reset && !x.stranded():
		return teardown.Reset
	case x.waits(observe.Retransmit) || x.waits(observe.Probe):
		return teardown.Retransmitted
	}
	return teardown.Stuck
}

// stranded reports whether an end is in a state that no timer ends.
func (x *execution) stranded() bool {
	return slices.ContainsFunc(x.ends[:], func(e *end) bool {
		return !through(e.status.State) && e.status.Timer == observe.NoTimer
	})
}

// over reports whether both ends are through: in a state that an end only comes to when its
// FIN has been acknowledged and its peer's has arrived.
func (x *execution) over() bool {
	return through(x.ends[0].status.State) && through(x.ends[1].status.State)
}

func through(s observe.State) bool { return s == "TIME_WAIT" || s == observe.Closed }

// undecided reports whether there is anything left to choose.
func (x *execution) undecided() bool {
	for _, side := range segment.Sides {
		if !x.ends[side].called || slices.ContainsFunc(x.hand.Sent(side), func(s wire.Sent) bool { return s.Kept }) {
			return true
		}
	}
	return false
}

// waits reports whether an end waits for a timer.
func (x *execution) waits(t observe.Timer) bool {
	return x.ends[0].status.Timer == t || x.ends[1].status.Timer == t
}

// hold holds the execution against what has to be in every one.
func (x *execution) hold(outcome teardown.Outcome) {
	if x.reset && !x.asked {
		x.breaks("a RST ended the connection, and no call asked for one")
	}
	for _, side := range segment.Sides {
		e := x.ends[side]
		if outcome == teardown.Stuck && !through(e.status.State) && e.status.Timer == observe.NoTimer {
			x.breaks("the %v is in %s, which no timer ends", side, e.status.State)
		}
		if e.Reads && e.called && !x.reset {
			x.holdReader(side, outcome)
		}
	}
}

// holdReader holds what a program that read on has read against what its peer said.
func (x *execution) holdReader(side segment.Side, outcome teardown.Outcome) {
	e, said := x.ends[side], x.ends[side.Peer()].said
	for i, got := range e.heard {
		if i >= said || got != octet(i) {
			x.breaks("octet %d of those that the %v's program read is not what the %v wrote", i+1, side, side.Peer())
			return
		}
	}
	switch {
	case e.eof && len(e.heard) < said:
		x.breaks("the %v's program read EOF after %d of %d octets", side, len(e.heard), said)
	case !e.eof && outcome == teardown.Clean:
		x.breaks("the teardown is over, and the %v's program was not told: it read %d of %d octets", side, len(e.heard), said)
	}
}

func (x *execution) breaks(format string, args ...any) {
	x.broken = append(x.broken, fmt.Sprintf(format, args...))
}

// news are the segments that an end has sent since they were asked for last.
func (x *execution) news(e *end) ([]wire.Sent, error) {
	news := x.hand.Sent(e.side)[e.sent:]
	for _, s := range news {
		if e.repeats(s.Segment) {
			return nil, fmt.Errorf("the %v sent %v again: %w", e.side, s.Segment, ErrTooSlow)
		}
		if s.Segment.Flags.Has(segment.ACK) {
			e.acked = s.Segment.Ack
		}
		if next := s.Segment.End(); next != s.Segment.Seq {
			e.next = next
		}
	}
	if len(news) > 0 {
		e.sent, e.last = e.sent+len(news), clock.Now()
	}
	return news, nil
}

// repeats reports whether a segment occupies sequence numbers that the end has used.
func (e *end) repeats(s segment.Segment) bool {
	return !s.Flags.Has(segment.RST) && s.End() != s.Seq && segment.Before(s.Seq, e.next)
}

// still returns an error if an end has sent anything by itself since the last choice.
func (x *execution) still() error {
	for _, e := range x.ends {
		if sent := x.hand.Sent(e.side); len(sent) > e.sent {
			return fmt.Errorf("the %v sent %v by itself: %w", e.side, sent[e.sent].Segment, ErrTooSlow)
		}
	}
	return nil
}

// describe is a state and what tells it from others of the same name: the timer that the
// kernel has armed, and that no program holds the socket. TIME_WAIT has one timer, and no
// program.
func describe(s observe.Status) string {
	if through(s.State) {
		return string(s.State)
	}
	var notes []string
	if s.Timer != observe.NoTimer {
		notes = append(notes, string(s.Timer))
	}
	if !s.Held && s.Timer != observe.TimeWait {
		notes = append(notes, "orphan")
	}
	if len(notes) == 0 {
		return string(s.State)
	}
	return fmt.Sprintf("%s (%s)", s.State, strings.Join(notes, ", "))
}
