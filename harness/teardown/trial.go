package teardown

import (
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
	// TimedOut: an end's kernel gave the connection up, without a RST: its timers ran
	// out.
	TimedOut Outcome = "timed-out"
	// Stuck: an end had not closed by the deadline, or when a forged client had
	// no more to say.
	Stuck Outcome = "stuck"
	// Inconclusive: the run did not show what it set out to show. It is never
	// counted as a pass.
	Inconclusive Outcome = "inconclusive"
)

// A Timer is what made a side send a segment again.
type Timer string

// The timers. The kernel arms one timer for RTO and TLP and counts them apart, as
// TCPTimeouts and TCPLossProbes (net/ipv4/tcp_timer.c, tcp_write_timer_handler).
const (
	RTO Timer = "rto"
	TLP Timer = "tlp"
	// FastRetransmit is no timer: the peer's acknowledgements told what was lost
	// (TCPFastRetrans and TCPSlowStartRetrans; net/ipv4/tcp_output.c,
	// tcp_xmit_retransmit_queue).
	FastRetransmit Timer = "fast-retransmit"
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
	// GivenUp is the time from the first closing call to when an end's kernel gave the
	// connection up; one whose timers did not run out has none.
	GivenUp map[segment.Side]time.Duration `json:"given_up_ns,omitempty"`
	// Retransmissions are what was sent again: the client's, then the server's.
	Retransmissions []Retransmission `json:"retransmissions,omitempty"`
	// ChallengeACKs is how many each end sent.
	ChallengeACKs map[segment.Side]int `json:"challenge_acks,omitempty"`
	// Overtook are the overtakings seen.
	Overtook []Sequence `json:"overtook,omitempty"`
	// Paths are the states that each end went through.
	Paths map[segment.Side][]Step `json:"paths,omitempty"`
	// Waits are what each end's timers were set to, and how long they took.
	Waits map[segment.Side][]Wait `json:"waits,omitempty"`
	// States, Counters and Drops are each end's, as the exchange has them.
	States   map[segment.Side]string           `json:"states,omitempty"`
	Counters map[segment.Side]map[string]int64 `json:"counters,omitempty"`
	Drops    map[segment.Side]uint32           `json:"drops,omitempty"`
	// Reopened is the exchange's, counted from when the client came to TIME_WAIT.
	Reopened *Reopening `json:"reopened,omitempty"`
	// Unmet is what else than its outcome the scenario wants of a trial, and this one
	// did not show. Judge knows nothing of it.
	Unmet []string `json:"unmet,omitempty"`
	// Exchange is the evidence.
	Exchange *Exchange `json:"exchange,omitempty"`
}
