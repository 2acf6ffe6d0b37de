package teardown

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Cause is why a segment had to be sent again.
type Cause struct {
	// By is who made away with it, or with its acknowledgement: client, server or
	// network; empty where nothing tells.
	By string `json:"by,omitempty"`
	// State is the receiver's when the segment came, by its path.
	State string `json:"state,omitempty"`
	// Reason is the receiving kernel's own for dropping it (include/net/dropreason-core.h,
	// Linux 5.17); empty where it gave none.
	Reason string `json:"reason,omitempty"`
	// Evidence is what that is known from.
	Evidence []string `json:"evidence"`

	silent bool // nothing but its absence speaks of what was made of the segment
}

// String is "dropped by the server in FIN_WAIT2 (TCP_OLD_ACK): ...".
func (c Cause) String() string { return c.what() + ": " + strings.Join(c.Evidence, ", ") }

func (c Cause) what() string {
	switch c.By {
	case "":
		return "for no reason that was seen"
	case network:
		return "lost by the " + network
	}
	text := "dropped by the " + c.By
	if c.State != "" {
		text += " in " + c.State
	}
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return text
}

const network = "network"

// causeOf finds out what became of a segment that a side sent again: whether it
// arrived, and what the receiver made of it before it came again.
func (t *Trial) causeOf(x *Exchange, s segment.Side, r repetition) Cause {
	receiver := s.Peer()
	end := x.End(receiver)
	arrived, ok := x.arrival(s, r)
	if !ok {
		return Cause{By: network, Evidence: []string{fmt.Sprintf("the %v's tap did not see it", receiver)}}
	}
	since := func(seen segment.Sighting) bool { return seen.At >= arrived.At && seen.At < r.again.At }
	if accepted, ok := first(end.Sightings, func(seen segment.Sighting) bool {
		return since(seen) && seen.Sent && seen.Covers(r.again.End())
	}); ok {
		return Cause{By: network, Evidence: []string{
			fmt.Sprintf("the %v had accepted it, and its %s did not arrive", receiver, x.notation(accepted.Segment)),
		}}
	}
	// The tap sees a segment before TCP does; the state that matters is the one
	// in which it was dropped.
	judged := arrived.At
	cause := Cause{By: receiver.String()}
	if drop, ok := x.drop(receiver, arrived); ok {
		judged, cause.Reason = drop.At, drop.Reason
	}
	for _, refused := range x.refusals(receiver) {
		if refused.of != segment.KindRST && since(refused.Sighting) && refused.Ack == arrived.Seq {
			judged = refused.At
			cause.Evidence = append(cause.Evidence, fmt.Sprintf("the %v answered %s", receiver, x.notation(refused.Segment)))
			break
		}
	}
	cause.State = stateAt(t.Paths[receiver], judged)
	if len(cause.Evidence) == 0 {
		cause.silent = cause.Reason == ""
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("it arrived, and the %v did not answer", receiver))
	}
	if n := t.ChallengeACKs[receiver]; n > 0 {
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("TCPChallengeACK %d", n))
	}
	if end.Socket != nil && end.Socket.Drops > 0 {
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("SK_MEMINFO_DROPS %d", end.Socket.Drops))
	}
	if cause.Reason != "" {
		cause.Evidence = append(cause.Evidence, "kfree_skb")
	}
	return cause
}

// arrival is when a segment that a side sent again had arrived before.
func (x *Exchange) arrival(s segment.Side, r repetition) (segment.Sighting, bool) {
	return first(x.End(s.Peer()).Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && seen.Segment == r.earlier.Segment && seen.At >= r.earlier.At && seen.At < r.again.At
	})
}

// drop is what the kernel of a side says of having dropped a segment, if it does.
func (x *Exchange) drop(s segment.Side, arrived segment.Sighting) (Notice, bool) {
	for _, n := range x.End(s).notices(KfreeSKB, DropNotice) {
		if n.Seq == arrived.Seq && n.End == arrived.End() && n.At >= arrived.At-slack {
			n.Reason = strings.TrimPrefix(n.Reason, "NOT_SPECIFIED")
			return n, true
		}
	}
	return Notice{}, false
}

// holdAgainstNotices compares what the taps saw sent again with what a side's
// kernel reported of it while it happened, and returns the timers that it names,
// if it names them all.
func (t *Trial) holdAgainstNotices(x *Exchange, s segment.Side, seen int) []Timer {
	end := x.End(s)
	begin := x.begin()
	var timers []Timer
	for _, source := range []Source{SockOps, TCPRetransmitSKB} {
		if !end.used(source) {
			continue
		}
		told := 0
		for _, n := range end.notices(source, ResentNotice) {
			if n.At < begin-time.Millisecond {
				continue
			}
			told++
			if source == TCPRetransmitSKB {
				timers = append(timers, Timer(n.Timer))
			}
		}
		if told > seen || told < seen && !source.mayMiss() {
			t.doubt("the %v's tap saw %d segments sent again, its kernel reported %d (%s)", s, seen, told, source)
		}
	}
	if len(timers) != seen {
		return nil
	}
	return timers
}
