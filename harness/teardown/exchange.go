// Package teardown reads what was recorded of the end of a TCP connection and
// says what happened and why. It is pure: it makes no system call, so every
// rule in it can be tested from a table or a capture.
package teardown

import (
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// An Exchange is everything that was recorded of one teardown. All times count
// from the beginning of the recording, on CLOCK_MONOTONIC.
type Exchange struct {
	// Asked are the overtakings that the disturbance was to bring about. An
	// exchange that shows another set is not what the scenario set out to show.
	Asked []Overtaking `json:"asked,omitempty"`
	// Permitted are overtakings that the disturbance may bring about besides: what holds a
	// segment lets others by.
	Permitted []Overtaking `json:"permitted,omitempty"`
	// GaveUp is true where the recording was ended by its deadline, or by a
	// client that had no more to say.
	GaveUp bool `json:"gave_up,omitempty"`
	// Doubts are reasons found while recording not to trust the exchange.
	Doubts []string `json:"doubts,omitempty"`
	// UntilGone are the ends that the recording was to go on for until their kernels
	// no longer knew the connection.
	UntilGone []segment.Side `json:"until_gone,omitempty"`
	// Jiffy is a tick of the kernel's timers.
	Jiffy time.Duration `json:"jiffy_ns,omitempty"`
	// Reopening is what came of it that the client opened a connection anew; nil where
	// it did not.
	Reopening *Reopening `json:"reopening,omitempty"`
	// Noise is how long this machine kept a thread waiting, at most, whose time had
	// come while the teardown was recorded; 0 for less than a millisecond, and where
	// the clock is virtual, which stands still meanwhile.
	Noise time.Duration `json:"noise_ns,omitempty"`
	// TapError is how far the taps' times can be off those of calls and notices.
	TapError time.Duration `json:"tap_error_ns,omitempty"`
	// Unheard says of each source that could not be listened to, why not.
	Unheard map[Source]string `json:"unheard,omitempty"`
	// Client and Server are what each end's tap, kernel and program saw.
	Client End `json:"client"`
	Server End `json:"server"`
}

// An End is one side of an exchange.
type End struct {
	// Setup is how the end was set up; nil where it was played by hand, and in a record
	// that does not tell.
	Setup *Setup `json:"setup,omitempty"`
	// Call is the closing call, such as "shutdown(SHUT_WR)", and CalledAt the
	// moment before it.
	Call     string        `json:"call"`
	CalledAt time.Duration `json:"called_at_ns"`
	// RTO is the connection's retransmission timeout (tcpi_rto) right before
	// the first closing call.
	RTO time.Duration `json:"rto_ns"`
	// Reads is true where the program read on to the peer's FIN. EOF is when it
	// was told of it; nil where it did not read, or did not get that far.
	Reads bool           `json:"reads,omitempty"`
	EOF   *time.Duration `json:"eof_ns,omitempty"`
	// ReadError is what the program was told instead, such as ETIMEDOUT.
	ReadError string `json:"read_error,omitempty"`
	// Heard is the beginning of what the program read, 200 octets at most; empty where that
	// was not written down.
	Heard string `json:"heard,omitempty"`
	// Failed tells how the end's program came to a bad end of its own meanwhile, with what
	// it printed last; empty where it did not, or is ours.
	Failed string `json:"failed,omitempty"`
	// State is the connection's state at the end of the recording, from
	// sock_diag; CLOSE where the kernel no longer knows the connection, empty
	// where it never did, the end being forged.
	State string `json:"state"`
	// Counters are the TCP counters of the end's namespace that moved between
	// the last moment before the first closing call and the end.
	Counters map[string]int64 `json:"counters,omitempty"`
	// Socket is what the kernel said of the socket itself at the end; nil where
	// the program no longer held it.
	Socket *Socket `json:"socket,omitempty"`
	// Notices are what the end's kernel said while it went on, in the order of
	// time, and Sources what it was asked by and listened to.
	Notices []Notice `json:"notices,omitempty"`
	Sources []Source `json:"sources,omitempty"`
	// Sightings are the segments that the end's tap saw, from the SYN on.
	Sightings []segment.Sighting `json:"sightings"`
}

// A Socket is what only the holder of a socket can ask.
type Socket struct {
	// Drops is SK_MEMINFO_DROPS: segments dropped on this socket.
	Drops uint32 `json:"drops"`
	// Retransmissions is by how much tcpi_total_retrans moved, as Counters.
	Retransmissions uint32 `json:"retransmissions"`
}

// End returns one side of the exchange.
func (x *Exchange) End(s segment.Side) *End {
	if s == segment.Client {
		return &x.Client
	}
	return &x.Server
}

// begin is the moment of the first closing call; where there was none, the
// beginning of the recording.
func (x *Exchange) begin() time.Duration {
	var at time.Duration
	called := false
	for _, s := range segment.Sides {
		if end := x.End(s); end.Call != "" && (!called || end.CalledAt < at) {
			at, called = end.CalledAt, true
		}
	}
	return at
}

// Numbering is read off the SYNs; ok is false where they were not seen.
func (x *Exchange) Numbering() (n segment.Numbering, ok bool) {
	var client, server bool
	for _, s := range x.Client.Sightings {
		switch {
		case !s.Flags.Has(segment.SYN):
		case s.Sent:
			n.Client, n.ClientPort, client = s.Seq, s.Src.Port(), true
		default:
			n.Server, server = s.Seq, true
		}
		if client && server {
			break
		}
	}
	return n, client && server
}
