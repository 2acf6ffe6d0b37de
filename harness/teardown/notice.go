package teardown

import (
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Source is where in the kernel something was learnt.
type Source string

// SockDiag is asked, at every segment and now and then in between, and knows
// mini-sockets too; what it says is as old as Notice.Earlier tells. The others
// tell by themselves what happens when it happens (see package events), and no
// mini-sockets; their clock is the exchange's own. The taps' is CLOCK_REALTIME,
// which is taken off by Exchange.TapError at most.
const (
	SockDiag         Source = "sock_diag"
	SockOps          Source = "sock_ops"
	InetSockSetState Source = "inet_sock_set_state"
	TCPRetransmitSKB Source = "tcp_retransmit_skb"
	KfreeSKB         Source = "kfree_skb"
)

// mayMiss reports whether it proves nothing that a source is silent. On a busy
// machine a tracepoint does not tell of everything, and nothing counts what it
// leaves out: on Linux 6.18, of one retransmission in some hundreds.
func (s Source) mayMiss() bool { return s != SockDiag && s != SockOps }

// A NoticeKind says what a notice is of.
type NoticeKind string

// The kinds of notice.
const (
	// StateNotice is a step of the connection's from one state to another.
	StateNotice NoticeKind = "state"
	// ResentNotice is a segment sent again.
	ResentNotice NoticeKind = "resent"
	// UnsentNotice is one that was to be, and could not be sent.
	UnsentNotice NoticeKind = "unsent"
	// TimeoutNotice is an RTO that is over.
	TimeoutNotice NoticeKind = "timeout"
	// ResetNotice is a RST sent.
	ResetNotice NoticeKind = "reset"
	// DropNotice is a segment that was freed, with a reason.
	DropNotice NoticeKind = "drop"
)

// A Notice is what an end's kernel said of the connection at one moment.
type Notice struct {
	At time.Duration `json:"at_ns"`
	// Earlier is how much earlier it may have happened, where the source was
	// asked; 0 where it tells the moment itself.
	Earlier time.Duration `json:"earlier_ns,omitempty"`
	Source  Source        `json:"source"`
	Kind    NoticeKind    `json:"kind"`
	// From and To are a state notice's.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Timer is what sock_diag says that the socket waits for, or what had a
	// segment sent again. Expires is how long after At the former is over.
	Timer   string        `json:"timer,omitempty"`
	Expires time.Duration `json:"expires_ns,omitempty"`
	// Orphan is true where sock_diag finds a socket that no program holds.
	Orphan bool `json:"orphan,omitempty"`
	// SndUna, SndNxt and RcvNxt are the socket's, as on the wire, where the
	// source tells them: 0 otherwise.
	SndUna uint32 `json:"snd_una,omitempty"`
	SndNxt uint32 `json:"snd_nxt,omitempty"`
	RcvNxt uint32 `json:"rcv_nxt,omitempty"`
	// Reason is the kernel's for a drop or a reset.
	Reason string `json:"reason,omitempty"`
	// Seq, End and Flags are of the segment that was sent again or dropped.
	Seq   uint32        `json:"seq,omitempty"`
	End   uint32        `json:"end,omitempty"`
	Flags segment.Flags `json:"flags,omitempty"`
}

// notices of one kind from one source, in the order of time.
func (e *End) notices(source Source, kind NoticeKind) []Notice {
	var out []Notice
	for _, n := range e.Notices {
		if n.Source == source && n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// used reports whether a source was listened to at that end.
func (e *End) used(source Source) bool { return slices.Contains(e.Sources, source) }
