package teardown

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// An Outcome is how one trial of a scenario ended.
type Outcome string

// The outcomes.
const (
	// Clean: both ends closed, nothing was sent twice.
	Clean Outcome = "clean"
	// Retransmitted: both ends closed, but only after a segment was sent again.
	Retransmitted Outcome = "retransmitted"
	// Reset: a RST ended it.
	Reset Outcome = "reset"
	// Stuck: an end had not closed by the deadline, or when a forged client had
	// no more to say.
	Stuck Outcome = "stuck"
	// Inconclusive: the run did not show what it set out to show. It is never
	// counted as a pass.
	Inconclusive Outcome = "inconclusive"
)

// A Timer is what made a side send a segment again.
type Timer string

// The timers. The kernel arms one timer for both and counts them apart, as
// TCPTimeouts and TCPLossProbes (net/ipv4/tcp_timer.c, tcp_write_timer_handler).
const (
	RTO Timer = "rto"
	TLP Timer = "tlp"
)

// A Trial is what became of one exchange: the facts read off it, and the
// outcome read off the facts.
type Trial struct {
	Outcome Outcome `json:"outcome"`
	// Why says what made the trial inconclusive.
	Why []string `json:"why,omitempty"`
	// Latency is the time from each end's closing call to its being closed;
	// an end that did not close has none.
	Latency map[segment.Side]time.Duration `json:"latency_ns,omitempty"`
	// Retransmissions are what was sent again: the client's, then the server's.
	Retransmissions []Retransmission `json:"retransmissions,omitempty"`
	// ChallengeACKs is how many each end sent.
	ChallengeACKs map[segment.Side]int `json:"challenge_acks,omitempty"`
	// Overtook are the overtakings seen.
	Overtook []Sequence `json:"overtook,omitempty"`
	// States, Counters and Drops are each end's, as the exchange has them.
	States   map[segment.Side]string           `json:"states,omitempty"`
	Counters map[segment.Side]map[string]int64 `json:"counters,omitempty"`
	Drops    map[segment.Side]uint32           `json:"drops,omitempty"`
	// Exchange is the evidence.
	Exchange *Exchange `json:"exchange,omitempty"`
}

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
}

// String is "F. 4416:4416(0) ack 754 of the client, sent again after 204ms by
// the tlp".
func (r Retransmission) String() string {
	return fmt.Sprintf("%s of the %v, %s", r.Segment, r.From, r.note())
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
