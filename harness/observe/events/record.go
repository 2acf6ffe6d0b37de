package events

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A record is what a program writes into the ring: the same for all, and each
// fills what it knows. It is cut off before the headers where there are none.
type record struct {
	at     int64
	cookie uint64 // the socket's, 0 if unknown
	netns  uint32 // the inode number of the segment's namespace, 0 if unknown
	source uint32 // index into Sources
	kind   uint32 // index into kinds
	// args are the old and the new state; or where a retransmission begins and
	// ends; or a reason.
	args    [2]uint32
	failure int32
	sndUna  uint32
	sndNxt  uint32
	rcvNxt  uint32
	flags   uint16
	timer   uint8 // icsk_pending
	_       [5]byte
	headers [104]byte // of IP and TCP; the longest take 100
}

const (
	recordSize = int(unsafe.Sizeof(record{}))
	// bareSize is that of a record without headers.
	bareSize = int(unsafe.Offsetof(record{}.headers))
)

// kinds are what a record's kind counts.
var kinds = []Kind{StateChange, Timeout, Retransmission, Reset, Drop}

// states are in the order of the kernel's numbers, which begin at 1
// (include/net/tcp_states.h).
var states = []observe.State{
	"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
}

func stateOf(number uint32) observe.State {
	if number < 1 || int(number) > len(states) {
		return observe.State(fmt.Sprintf("state %d", number))
	}
	return states[number-1]
}

// timers are by icsk_pending (include/net/inet_connection_sock.h): the timer
// whose handler runs, where it does not clear it first, as the RTO's does
// (net/ipv4/tcp_timer.c, tcp_write_timer_handler). What an arriving ACK makes
// the kernel send again goes out while the retransmission timer is pending.
var timers = map[uint8]Timer{0: RTO, 5: TLP, 6: Reordering}

// A reader turns records into events.
type reader struct {
	decoder *segment.Decoder
	// The names of reasons by their numbers; nil where none is handed over.
	drops, resets map[uint32]string
}

// open gives the record in a sample, and the segment whose headers it holds.
func (r *reader) open(sample []byte) (record, *segment.Segment) {
	var rec record
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&rec)), recordSize), sample)
	if len(sample) < recordSize {
		return rec, nil
	}
	// The decoder wants Ethernet's header, which the kernel had no more use for.
	frame := make([]byte, 14, 14+len(rec.headers))
	etherType := uint16(0x0800)
	if rec.headers[0]>>4 == 6 {
		etherType = 0x86dd
	}
	binary.BigEndian.PutUint16(frame[12:], etherType)
	found, err := r.decoder.Decode(append(frame, rec.headers[:]...))
	if err != nil {
		return rec, nil // a fragment, or a reset that answers no segment
	}
	return rec, &found
}

func (r *reader) event(rec record, about *segment.Segment) Event {
	e := Event{
		At:     clock.Instant(rec.at),
		Source: Sources[rec.source],
		Kind:   kinds[rec.kind],
		SndUna: rec.sndUna, SndNxt: rec.sndNxt, RcvNxt: rec.rcvNxt,
		Segment: about,
	}
	switch e.Kind {
	case StateChange:
		e.Old, e.New = stateOf(rec.args[0]), stateOf(rec.args[1])
	case Retransmission:
		e.Seq, e.End, e.Error = rec.args[0], rec.args[1], rec.failure
		if e.Source == TCPRetransmitSKB {
			e.Flags, e.Timer = segment.Flags(rec.flags), timers[rec.timer]
		}
	case Reset:
		if r.resets != nil {
			e.Reason = named(r.resets, rec.args[0])
		}
	case Drop:
		e.Reason = named(r.drops, rec.args[0])
	}
	return e
}

func named(names map[uint32]string, number uint32) string {
	return cmp.Or(names[number], fmt.Sprintf("reason %d", number))
}

// A socket is what a record is compared with.
type socket struct {
	cookie        uint64
	netns         uint32
	local, remote netip.AddrPort
}

// concerns reports whether a record is about the socket, or about a segment that
// the socket's host got for it or sent from it. Where the kernel does not know a
// segment's namespace any more, as it is with what TCP drops late where
// kfree_skb is not told the receiving socket, whoever would have got the segment
// is concerned; then it may be another lab's, if that has the same ports.
func (s socket) concerns(rec record, about *segment.Segment) bool {
	switch {
	case rec.cookie != 0:
		return rec.cookie == s.cookie
	case about == nil:
		return false
	case rec.netns == 0:
		return about.Src == s.remote && about.Dst == s.local
	}
	return rec.netns == s.netns &&
		(about.Src == s.remote && about.Dst == s.local || about.Src == s.local && about.Dst == s.remote)
}
