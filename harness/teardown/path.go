package teardown

import (
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Step is one state of an end's way through the teardown.
type Step struct {
	State string `json:"state"`
	// At is when it was entered, and Earlier how much earlier that may have
	// been.
	At      time.Duration `json:"at_ns"`
	Earlier time.Duration `json:"earlier_ns,omitempty"`
	// Sources are those that saw it.
	Sources []Source `json:"sources"`
	// Blind are the sources that said CLOSE instead, as the full socket was gone.
	Blind []Source `json:"blind,omitempty"`
}

// slack is how much later than it says a source that tells the moment may be
// seen to be right: the kernel reports a step before it takes it (net/ipv4/tcp.c,
// tcp_set_state), and may be interrupted in between.
const slack = time.Millisecond

// path puts together what an end's sources say of its states. Those that tell
// the moment are blind to mini-sockets: what follows when a full socket is closed,
// only sock_diag knows. An error says which sources contradict each other.
func (x *Exchange) path(s segment.Side) ([]Step, error) {
	end := x.End(s)
	sampled := end.notices(SockDiag, StateNotice)
	told, err := end.told()
	if err != nil {
		return nil, fmt.Errorf("of the %v, %w", s, err)
	}
	if len(told) == 0 {
		return steps(changes(sampled)), nil
	}
	var minis []Step
	for _, n := range sampled {
		i := saw(told, n)
		end, ends := endBy(told, n)
		mini := n.Timer == timeWait && ends
		switch {
		case len(minis) > 0 && n.To == closed: // it is over
			minis = append(minis, step(n))
		case i >= 0 && !mini:
			told[i].Sources = append(told[i].Sources, SockDiag)
		case n.To == closed && ends:
			// Neither the full socket nor the mini-socket is found, a moment before
			// the former is reported closed (net/ipv4/inet_timewait_sock.c,
			// inet_twsk_hashdance).
		case isMini(n) && ends:
			// It is there before the full socket goes (net/ipv4/tcp_minisocks.c,
			// tcp_time_wait).
			taken := step(n)
			taken.At = max(taken.At, end.At)
			minis = append(minis, taken)
		default:
			return nil, fmt.Errorf("of the %v, sock_diag says that it was in %s when %s said %s",
				s, n.To, told[0].Sources[0], before(told, n.At).State)
		}
	}
	path := slices.Concat(told, minis)
	slices.SortStableFunc(path, func(a, b Step) int { return int(a.At - b.At) })
	return withoutFalseEnd(path, end.Socket != nil), nil
}

const closed = "CLOSE"

// told are the steps that the end's sources told by themselves. Where several
// did, they have to tell the same, but for what one may miss.
func (e *End) told() ([]Step, error) {
	var path []Step
	for _, source := range []Source{SockOps, InetSockSetState} {
		if !e.used(source) {
			continue
		}
		next := fromTheBeginning(e.notices(source, StateNotice))
		if path == nil {
			path = next
			continue
		}
		if !confirm(path, next) {
			return nil, fmt.Errorf("%s says %s, and %s says %s", path[0].Sources[0], names(path), source, names(next))
		}
	}
	return path, nil
}

// confirm notes on a path which of its steps a second source saw, and reports
// whether that source saw no others.
func confirm(path, seen []Step) bool {
	for i := range path {
		if len(seen) > 0 && seen[0].State == path[i].State {
			path[i].Sources = append(path[i].Sources, seen[0].Sources...)
			seen = seen[1:]
		}
	}
	return len(seen) == 0
}

// changes are the notices that tell of another state than the one before: not of a
// timer alone.
func changes(notices []Notice) []Notice {
	return slices.CompactFunc(slices.Clone(notices), func(a, b Notice) bool { return a.To == b.To })
}

func steps(notices []Notice) []Step {
	var path []Step
	for _, n := range notices {
		path = append(path, step(n))
	}
	return path
}

// fromTheBeginning also has the state that the first step leaves.
func fromTheBeginning(notices []Notice) []Step {
	if len(notices) == 0 {
		return nil
	}
	first := Step{State: notices[0].From, Sources: []Source{notices[0].Source}}
	return append([]Step{first}, steps(notices)...)
}

func step(n Notice) Step {
	return Step{State: n.To, At: n.At, Earlier: n.Earlier, Sources: []Source{n.Source}}
}

// saw returns which of the steps an answer of sock_diag saw the end in: the last
// one of that state that had been taken when the answer came, and not been left
// before the answer before.
func saw(path []Step, n Notice) int {
	for i, s := range slices.Backward(path) {
		left := i+1 < len(path) && path[i+1].At+slack < n.At-n.Earlier
		if s.State == n.To && s.At <= n.At && !left {
			return i
		}
	}
	return -1
}

// endBy is the CLOSE that an answer of sock_diag goes with: what was told last before it,
// or comes next. A mini-socket proves that the full socket is going, however long the
// kernel is interrupted before it says so; what else there is does so for a moment only.
func endBy(told []Step, n Notice) (end Step, ends bool) {
	last := before(told, n.At+slack)
	if n.Timer == timeWait && last.State != closed {
		if i := slices.IndexFunc(told, func(s Step) bool { return s.At > n.At+slack }); i >= 0 {
			last = told[i]
		}
	}
	return last, last.State == closed
}

// before is the step that was taken last before a moment.
func before(path []Step, at time.Duration) Step {
	for _, s := range slices.Backward(path) {
		if s.At <= at {
			return s
		}
	}
	return path[0]
}

// isMini reports whether an answer may be about a mini-socket.
func isMini(n Notice) bool { return n.To == "TIME_WAIT" || n.To == "FIN_WAIT2" }

// withoutFalseEnd leaves out the CLOSE of a full socket whose mini-socket lives
// on, and a second FIN_WAIT2 that only says that a mini-socket has taken over. The
// mini-socket is no older than that CLOSE; and it is as old where it began in
// TIME_WAIT, which it does unless close() came before (net/ipv4/tcp_input.c,
// tcp_rcv_state_process and tcp_fin).
func withoutFalseEnd(path []Step, held bool) []Step {
	var (
		out   []Step
		end   *Step    // the CLOSE that was left out last
		blind []Source // those that said so, and say nothing of a mini-socket
	)
	for i, s := range path {
		if s.State == closed && i+1 < len(path) {
			end = &s
			continue
		}
		if end != nil {
			// Where a mini-socket is taking over, sock_diag may find nothing, too.
			blind = slices.DeleteFunc(slices.Clone(end.Sources), func(source Source) bool { return source == SockDiag })
			s.Earlier = min(s.Earlier, s.At-end.At)
			if s.State == "TIME_WAIT" && (held || out[len(out)-1].State == "CLOSING") {
				s.At, s.Earlier = end.At, 0
			}
			end = nil
		}
		if s.State != closed {
			s.Blind = blind
		}
		if last := len(out) - 1; last >= 0 && s.State == out[last].State {
			out[last].Sources, out[last].Blind = append(out[last].Sources, s.Sources...), s.Blind
			continue
		}
		out = append(out, s)
	}
	for i := range out {
		slices.Sort(out[i].Sources)
		out[i].Sources = slices.Compact(out[i].Sources)
	}
	return out
}

func names(path []Step) (text string) {
	for i, s := range path {
		if i > 0 {
			text += ", "
		}
		text += s.State
	}
	return text
}

// stateAt is the state of an end at a moment, by its path; empty where nothing is
// known of it.
func stateAt(path []Step, at time.Duration) (state string) {
	for _, s := range path {
		if s.At > at {
			break
		}
		state = s.State
	}
	return state
}
