package teardown

import (
	"cmp"
	"fmt"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Retransmission is one segment that was sent again.
type Retransmission struct {
	From segment.Side `json:"from"`
	// Segment is in packetdrill's notation, with relative numbers.
	Segment string `json:"segment"`
	FIN     bool   `json:"fin"`
	// Timer is what sent it; empty where the counters do not tell.
	Timer Timer `json:"timer,omitempty"`
	// Delay is the time since the segment was sent before, at the sender's tap.
	Delay time.Duration `json:"delay_ns"`
	// RTO is the sender's retransmission timeout before it closed: what Delay
	// is to be compared with.
	RTO time.Duration `json:"rto_ns"`
	// Cause is why it had to be.
	Cause Cause `json:"cause"`
}

// String is "F. 4416:4416(0) ack 754 of the client, sent again after 204ms by
// the tlp, having been dropped by the server in FIN_WAIT2: ...".
func (r Retransmission) String() string {
	return fmt.Sprintf("%s of the %v, %s; %s", r.Segment, r.From, r.note(), r.Cause)
}

func (r Retransmission) note() string {
	note := fmt.Sprintf("sent again after %v", r.Delay.Round(time.Millisecond))
	if r.Timer != "" {
		note += " by the " + string(r.Timer)
	}
	if r.RTO > 0 {
		note += fmt.Sprintf(" (the RTO was %v)", r.RTO.Round(time.Millisecond))
	}
	return note
}

// DroppedBy returns what had reached a side and was dropped by its kernel, so that the
// peer sent it again; nothing of a trial that is inconclusive.
func (t Trial) DroppedBy(s segment.Side) (dropped []Retransmission) {
	if t.Outcome == Inconclusive {
		return nil
	}
	for _, r := range t.Retransmissions {
		if r.From == s.Peer() && r.Cause.By == s.String() {
			dropped = append(dropped, r)
		}
	}
	return dropped
}

// attribute finds the timer behind each retransmission of a side, and the
// contradictions between the side's tap and its counters.
func (t *Trial) attribute(x *Exchange, s segment.Side) {
	end := x.End(s)
	again := x.repetitions(s)
	seen, counted := int64(len(again)), end.Counters["RetransSegs"]
	if seen != counted {
		t.doubt("the %v's tap saw %d segments sent again, its kernel counted %d (RetransSegs)", s, seen, counted)
	}
	if end.Socket != nil && int64(end.Socket.Retransmissions) != counted {
		t.doubt("the %v's kernel counted %d segments sent again (RetransSegs), its socket %d (tcpi_total_retrans)",
			s, counted, end.Socket.Retransmissions)
	}
	why := x.reasonsOf(s)
	if !why.explain(seen, x.sentNew(s)) {
		t.doubt("the %v sent %d segments again, which does not go with what its kernel counted: %v", s, seen, why)
	}
	timers := t.holdAgainstNotices(x, s, len(again))
	for i, r := range again {
		timer := why.timerOf(int64(i), seen)
		if i < len(timers) {
			if timer != "" && timers[i] != "" && timers[i] != timer {
				t.doubt("the %v's counters say that %s was sent again by the %s, tcp_retransmit_skb says by the %s",
					s, x.notation(r.again.Segment), timer, timers[i])
			}
			timer = cmp.Or(timer, timers[i])
		}
		switch {
		case x.underWay(s, r):
			t.doubt("the %v sent %s again while the earlier one was still on its way: the path was slower than its timer",
				s, x.notation(r.again.Segment))
		case x.needless(s, r):
			t.doubt("the %v sent %s again although the %v had accepted it and nothing of that was lost: the path was slower than its timer",
				s, x.notation(r.again.Segment), s.Peer())
		}
		t.Retransmissions = append(t.Retransmissions, Retransmission{
			From:    s,
			Segment: x.notation(r.again.Segment),
			FIN:     x.kind(s, r.again.Segment) == segment.KindFIN,
			Timer:   timer,
			Cause:   t.causeOf(x, s, r),
			Delay:   r.again.At - r.earlier.At,
			RTO:     end.RTO,
		})
	}
}

// reasons are how often a kernel had a reason to send something again.
type reasons struct{ probes, timeouts, fast int64 }

func (x *Exchange) reasonsOf(s segment.Side) reasons {
	counters := x.End(s).Counters
	timeouts := counters["TCPTimeouts"]
	// A timeout by which the kernel gives up sends nothing. It is one of these only
	// if it was the retransmission timer's (net/ipv4/tcp_timer.c,
	// tcp_retransmit_timer; not tcp_probe_timer, nor tcp_keepalive_timer).
	if by := x.lastTimer(s).Timer; by != "probe" && by != "keepalive" {
		timeouts -= counters["TCPAbortOnTimeout"]
	}
	return reasons{
		probes:   counters["TCPLossProbes"],
		timeouts: timeouts,
		fast:     counters["TCPFastRetrans"] + counters["TCPSlowStartRetrans"],
	}
}

func (r reasons) all() int64 { return r.probes + r.timeouts + r.fast }

// String names the counters.
func (r reasons) String() string {
	return fmt.Sprintf("TCPLossProbes %d, TCPTimeouts without those that gave up %d, TCPFastRetrans and TCPSlowStartRetrans %d",
		r.probes, r.timeouts, r.fast)
}

// explain reports whether the reasons go with so many segments sent again and so
// many sent for the first time. A probe sends a new one instead, if there is
// one (RFC 8985 section 7.3; net/ipv4/tcp_output.c, tcp_send_loss_probe), but no
// probe is due before the first.
func (r reasons) explain(again, sentNew int64) bool {
	instead := r.all() - again
	return instead == 0 || 0 < instead && instead <= min(r.probes, sentNew-1)
}

// timerOf tells which timer sent the i-th retransmission of so many. Of a tail,
// the probe comes first and once, and whatever it did not mend is left to the RTO
// (RFC 8985 section 7.3). It is empty where more than that went on.
func (r reasons) timerOf(i, again int64) Timer {
	switch {
	case again != r.all():
		return ""
	case r.fast == again:
		return FastRetransmit
	case r.fast > 0:
		return ""
	case i < r.probes:
		return TLP
	}
	return RTO
}

// sentNew counts the segments that a side sent for the first time after the
// first closing call.
func (x *Exchange) sentNew(s segment.Side) (n int64) {
	begin := x.begin()
	for _, seen := range x.End(s).Sightings {
		if seen.Sent && seen.End() != seen.Seq && seen.At >= begin {
			n++
		}
	}
	return n - int64(len(x.repetitions(s)))
}
