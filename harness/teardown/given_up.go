package teardown

import "github.com/finwait/finwait/harness/segment"

// readGivingUp finds out whether a side's kernel gave the connection up because its
// timers had run out: it no longer knows the connection, although by what the taps
// saw the end was not closed. A connection that had something to send until then is
// counted as TCPAbortOnTimeout (net/ipv4/tcp_timer.c, tcp_write_err), and a program
// that still read is told ETIMEDOUT; an orphan in FIN_WAIT2 goes without a word, from
// the mini-socket whose timer is over. What says otherwise is a contradiction.
func (t *Trial) readGivingUp(x *Exchange, s segment.Side) {
	end, path := x.End(s), t.Paths[s]
	aborted := end.Counters["TCPAbortOnTimeout"]
	_, done := x.closedAt(s)
	switch {
	case len(path) == 0:
		return // nobody told when
	case end.State != closed || done || end.wasReset():
		if aborted > 0 && !x.wasReset() {
			t.doubt("the %v's kernel counted a connection that it gave up (TCPAbortOnTimeout), but it knows of one, or closed it", s)
		}
		return
	}
	gone := path[len(path)-1]
	by := x.lastTimer(s)
	switch {
	case gone.State != closed:
		t.doubt("the %v's kernel no longer knows the connection, but nothing saw it go", s)
	case by.Timer == "":
		t.doubt("the %v's kernel gave the connection up, but it was not waiting for anything (sock_diag)", s)
	case gone.At < by.due()-x.Jiffy:
		t.doubt("the %v's kernel gave the connection up before its %s timer was due", s, by.Timer)
	case by.Timer == timeWait && aborted > 0:
		t.doubt("of the %v a mini-socket was left, but its kernel counted a connection that it gave up (TCPAbortOnTimeout)", s)
	case by.Timer != timeWait && aborted != 1:
		t.doubt("the %v's kernel gave the connection up by its %s timer, but counted %d of them (TCPAbortOnTimeout)", s, by.Timer, aborted)
	case end.Reads && end.EOF == nil && end.ReadError != "ETIMEDOUT":
		t.doubt("the %v's kernel gave the connection up, but its program was told %q instead of ETIMEDOUT", s, end.ReadError)
	}
	t.GivenUp[s] = gone.At - x.begin()
}

// timeWait is sock_diag's name for what a mini-socket waits by.
const timeWait = "timewait"

// lastTimer is what a side's kernel said last of a timer that it waited for.
func (x *Exchange) lastTimer(s segment.Side) (waiting Notice) {
	for _, n := range x.End(s).notices(SockDiag, StateNotice) {
		if n.Timer != "" {
			waiting = n
		}
	}
	return waiting
}

// wasReset reports whether the end sent a RST, or got one.
func (e *End) wasReset() bool {
	_, reset := first(e.Sightings, func(seen segment.Sighting) bool { return seen.Flags.Has(segment.RST) })
	return reset
}

// lasts names an end that was waited for until it was gone and is not.
func (x *Exchange) lasts() (segment.Side, bool) {
	for _, s := range x.UntilGone {
		if x.End(s).State != closed {
			return s, true
		}
	}
	return 0, false
}

// timersRanOut reports whether any end's kernel gave the connection up.
func (t *Trial) timersRanOut() bool { return len(t.GivenUp) > 0 }
