package explore

import "github.com/finwait/finwait/harness/segment"

// Two choices are independent where it makes no difference to anybody which of them
// is made first. Of the orders that differ only in that, a search plays one.
//
// Choices at different ends are independent: a call at one end and a delivery to the
// other, or deliveries to both. An end is a kernel's socket in a namespace of its own,
// and reacts to the calls made there and the segments that reach it, in their order.
// Nothing else of the peer reaches it, since the wire keeps what the peer sends until
// it is chosen; and segments are numbered by their sender, so that the choices have
// the same names either way. A drop is noticed by no end at all.
//
// That is sound as long as the ends share nothing but the wire. They do share time
// and the machine: a timer that fires during an execution (a delayed ACK, an RTO), a
// timestamp that ticks between two segments, the limit on challenge ACKs that all
// namespaces have in common before Linux 6.1 (net/ipv4/tcp_input.c,
// tcp_send_challenge_ack), memory under pressure and the number of orphans (tcp_mem,
// tcp_max_orphans). A stage must keep executions out of their reach, and a search
// checks what it has played: an end that did not answer the same to the same is
// reported (see contradictions). With Bounds.All nothing is assumed.
//
// Two faults that compete for the last one that the bounds allow pass for independent
// as well: neither can come after the other, so no order is lost by that.
func independent(a, b Choice) bool {
	if a.sameSegment(b) {
		return false
	}
	return a.Act == Drop || b.Act == Drop || a.end() != b.end()
}

// end is where a choice is noticed; a drop is nowhere.
func (c Choice) end() segment.Side {
	if c.Act == Call {
		return c.Side
	}
	return c.Side.Peer()
}
