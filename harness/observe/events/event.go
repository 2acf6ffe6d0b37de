package events

import (
	"fmt"
	"strings"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A Source is a place in the kernel that events come from.
type Source string

// The sources, as the kernel calls them. They overlap: what happens is told by
// each that was told to report it.
const (
	// SockOps is a BPF program of type sock_ops on the process's cgroup
	// (net/ipv4/tcp.c, tcp_set_state; tcp_output.c, __tcp_retransmit_skb;
	// tcp_timer.c, tcp_write_timeout).
	SockOps Source = "sock_ops"
	// The others are tracepoints. InetSockSetState is in net/ipv4/af_inet.c,
	// inet_sk_set_state and inet_sk_state_store.
	InetSockSetState Source = "inet_sock_set_state"
	// TCPRetransmitSKB is in net/ipv4/tcp_output.c, __tcp_retransmit_skb.
	TCPRetransmitSKB Source = "tcp_retransmit_skb"
	// TCPSendReset is in net/ipv4/tcp_ipv4.c, tcp_v4_send_reset, in
	// net/ipv6/tcp_ipv6.c, tcp_v6_send_reset, and in tcp_output.c,
	// tcp_send_active_reset.
	TCPSendReset Source = "tcp_send_reset"
	// KfreeSKB is in net/core/skbuff.c, kfree_skb and its kin.
	KfreeSKB Source = "kfree_skb"
)

// Sources are all there are.
var Sources = []Source{SockOps, InetSockSetState, TCPRetransmitSKB, TCPSendReset, KfreeSKB}

// A Kind says what happened.
type Kind string

// The kinds of event.
const (
	// StateChange is a socket's step from Old to New. No source reports one to
	// TIME_WAIT: a socket that goes there is closed, and a mini-socket takes its
	// place unreported (net/ipv4/tcp_minisocks.c, tcp_time_wait). A FIN_WAIT2
	// that a mini-socket takes over is closed in the same way.
	StateChange Kind = "state change"
	// Timeout is the retransmission timer's expiry (RTO); a tail loss probe is
	// none.
	Timeout Kind = "timeout"
	// Retransmission is a segment sent again.
	Retransmission Kind = "retransmission"
	// Reset is a RST sent.
	Reset Kind = "reset"
	// Drop is a segment that the kernel freed, with the Reason that it gave.
	// NOT_SPECIFIED is also given for segments that had done their work.
	Drop Kind = "drop"
)

// A Timer is what made the kernel send a segment again.
type Timer string

// The timers of include/net/inet_connection_sock.h.
const (
	// RTO is the retransmission timeout (RFC 6298).
	RTO Timer = "rto"
	// TLP is the tail loss probe's (RFC 8985 section 7).
	TLP Timer = "tlp"
	// Reordering is RACK's wait for late segments (RFC 8985 section 6.2).
	Reordering Timer = "reo"
)

// An Event is what one source reported at one moment of one connection.
// Sequence numbers are as on the wire, not relative.
type Event struct {
	// At is when the event was reported, by bpf_ktime_get_ns: CLOCK_MONOTONIC
	// without any conversion. While the kernel corrects that clock, a reading may
	// be some nanoseconds off (kernel/time/timekeeping.c, ktime_get_mono_fast_ns).
	At     clock.Instant
	Source Source
	Kind   Kind
	// Old and New are a state change's.
	Old, New observe.State
	// SndUna, SndNxt and RcvNxt are the socket's at that moment; all are 0 where
	// the source had no full socket to look at: always for a drop.
	SndUna, SndNxt, RcvNxt uint32
	// Seq is a retransmission's first sequence number. Its End, the number after
	// it, and its Flags are known to the tracepoint only, and so is the Timer,
	// which is empty if it was none of the timers.
	Seq, End uint32
	Flags    segment.Flags
	Timer    Timer
	// Error is what sending a retransmission again failed with, 0 if it did not
	// fail. sock_ops reports failures on every kernel, the tracepoint on those
	// that hand it an error.
	Error int32
	// Reason is a drop's or a reset's, as the kernel writes it, without
	// SKB_DROP_REASON_ and SK_RST_REASON_; empty where a reset has none.
	Reason string
	// Segment is what was dropped, or what a reset answers; nil for a reset that
	// answers none.
	Segment *segment.Segment
}

// String writes the event on a line.
func (e Event) String() string {
	var line strings.Builder
	fmt.Fprintf(&line, "%s: ", e.Source)
	switch e.Kind {
	case StateChange:
		fmt.Fprintf(&line, "%s to %s", e.Old, e.New)
	case Retransmission:
		fmt.Fprintf(&line, "%s of %d", e.Kind, e.Seq)
		if e.End != 0 {
			fmt.Fprintf(&line, ":%d %s", e.End, e.Flags)
		}
		if e.Timer != "" {
			fmt.Fprintf(&line, " by %s", e.Timer)
		}
		if e.Error != 0 {
			fmt.Fprintf(&line, " failed with %d", e.Error)
		}
	default:
		line.WriteString(string(e.Kind))
	}
	if e.Reason != "" {
		fmt.Fprintf(&line, ", %s", e.Reason)
	}
	if e.Segment != nil {
		s := e.Segment
		fmt.Fprintf(&line, ", %v to %v %s %d:%d ack %d", s.Src, s.Dst, s.Flags, s.Seq, s.End(), s.Ack)
	}
	if e.SndUna != 0 || e.SndNxt != 0 || e.RcvNxt != 0 {
		fmt.Fprintf(&line, ", snd_una %d snd_nxt %d rcv_nxt %d", e.SndUna, e.SndNxt, e.RcvNxt)
	}
	return line.String()
}
