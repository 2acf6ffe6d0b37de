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
	arrived, ok := first(end.Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && seen.Segment == r.earlier.Segment && seen.At >= r.earlier.At && seen.At < r.again.At
	})
	if !ok {
		return Cause{By: network, Evidence: []string{fmt.Sprintf("the %v's tap did not see it", receiver)}}
	}
	state := stateAt(t.Paths[receiver], arrived.At)
	since := func(seen segment.Sighting) bool { return seen.At >= arrived.At && seen.At < r.again.At }
	if accepted, ok := first(end.Sightings, func(seen segment.Sighting) bool {
		return since(seen) && seen.Sent && seen.Covers(r.again.End())
	}); ok {
		return Cause{By: network, State: state, Evidence: []string{
			fmt.Sprintf("the %v had accepted it, and its %s did not arrive", receiver, x.notation(accepted.Segment)),
		}}
	}
	cause := Cause{By: receiver.String(), State: state}
	cause.Reason = t.dropReason(x, receiver, arrived)
	for _, refused := range x.refusals(receiver) {
		if since(refused) && refused.Ack == arrived.Seq {
			cause.Evidence = append(cause.Evidence, fmt.Sprintf("the %v answered %s", receiver, x.notation(refused.Segment)))
			break
		}
	}
	if len(cause.Evidence) == 0 {
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

// dropReason is why the kernel of a side says it dropped a segment. One that
// reports drops and dropped none contradicts the taps.
func (t *Trial) dropReason(x *Exchange, s segment.Side, arrived segment.Sighting) string {
	end := x.End(s)
	if !end.used(KfreeSKB) {
		return ""
	}
	for _, n := range end.notices(KfreeSKB, DropNotice) {
		if n.Seq == arrived.Seq && n.End == arrived.End() && n.At >= arrived.At-slack {
			return n.Reason
		}
	}
	t.doubt("the %v did not accept %s, but its kernel reports no drop of it (kfree_skb)", s, x.notation(arrived.Segment))
	return ""
}

// holdAgainstNotices compares what the taps saw sent again with what a side's
// kernel reported of it while it happened, and returns the timers that it names.
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
		if told != seen {
			t.doubt("the %v's tap saw %d segments sent again, its kernel reported %d (%s)", s, seen, told, source)
		}
	}
	return timers
}
