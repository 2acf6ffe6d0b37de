package teardown

import (
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Wait is one time for which an end's kernel waited for a timer, as sock_diag told
// of it.
type Wait struct {
	// State is the end's while it waited.
	State string `json:"state"`
	// Timer is what it waited by: retransmit, probe, keepalive or, of a
	// mini-socket, timewait.
	Timer string `json:"timer"`
	// At is when it began: what set the timer is what the end had sent, been sent or
	// come to last.
	At time.Duration `json:"at_ns"`
	// For is how much later the timer was due. It is right to a jiffy, since it was
	// set at a tick and is told at one.
	For time.Duration `json:"for_ns"`
	// Took is how much later the end sent something, or came to another state, once
	// the timer was due; 0 where that was not seen.
	Took time.Duration `json:"took_ns,omitempty"`
}

// readWaits takes what a side waited for from the first closing call on.
func (t *Trial) readWaits(x *Exchange, s segment.Side) {
	begin, moments := x.begin(), t.moments(x, s)
	told := x.timersSet(s)
	var waits []Wait
	for i, n := range told {
		w := Wait{State: n.To, Timer: n.Timer, At: t.setAt(x, s, n)}
		due := n.due()
		w.For = due - w.At
		ended := slices.IndexFunc(moments, func(m time.Duration) bool { return m > w.At && m >= due-x.Jiffy })
		anew := i+1 < len(told) && told[i+1].At < due-x.Jiffy
		if ended >= 0 && !anew {
			w.Took = moments[ended] - w.At
		}
		switch before := len(waits) - 1; {
		case due < begin:
		case before >= 0 && waits[before].At == w.At: // the later one counts
			waits[before] = w
		default:
			waits = append(waits, w)
		}
	}
	if len(waits) > 0 {
		t.Waits[s] = waits
	}
}

// timersSet are what sock_diag said of a side's timers whenever one had been set: not
// what it said of them again, for another reason.
func (x *Exchange) timersSet(s segment.Side) (set []Notice) {
	for _, n := range x.End(s).notices(SockDiag, StateNotice) {
		again := func(earlier Notice) bool {
			return n.Timer == earlier.Timer && (n.due()-earlier.due()).Abs() <= x.Jiffy+time.Millisecond
		}
		if n.Timer != "" && (len(set) == 0 || !again(set[len(set)-1])) {
			set = append(set, n)
		}
	}
	return set
}

// due is when the timer that a notice tells of is over.
func (n Notice) due() time.Duration { return n.At + n.Expires }

// setAt is when the timer was set that a notice tells of: when something last happened
// at the end. What only sock_diag told of, a step inside of a mini-socket, was seen late;
// its moment counts only where there is no other since the last question.
func (t *Trial) setAt(x *Exchange, s segment.Side, n Notice) time.Duration {
	at := last(t.heard(x, s), n.At)
	if at < n.At-n.Earlier {
		at = last(t.moments(x, s), n.At)
	}
	return at
}

// moments are when something happened at an end, in the order of time.
func (t *Trial) moments(x *Exchange, s segment.Side) []time.Duration {
	moments := t.heard(x, s)
	for _, step := range t.Paths[s] {
		moments = append(moments, step.At)
	}
	slices.Sort(moments)
	return moments
}

// heard are the moments that were told as they came.
func (t *Trial) heard(x *Exchange, s segment.Side) []time.Duration {
	var moments []time.Duration
	for _, seen := range x.End(s).Sightings {
		moments = append(moments, seen.At)
	}
	for _, step := range t.Paths[s] {
		if !slices.Equal(step.Sources, []Source{SockDiag}) {
			moments = append(moments, step.At)
		}
	}
	// A path does not have where a mini-socket takes over in the same state.
	for _, n := range x.End(s).Notices {
		if n.Source != SockDiag && n.Kind == StateNotice {
			moments = append(moments, n.At)
		}
	}
	slices.Sort(moments)
	return moments
}

// last is the latest of the moments that had come by then.
func last(moments []time.Duration, by time.Duration) (latest time.Duration) {
	for _, m := range moments {
		if m > by {
			break
		}
		latest = m
	}
	return latest
}
