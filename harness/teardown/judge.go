package teardown

import (
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// Judge reads the facts off an exchange, and the outcome off the facts. The
// outcome never rests on elapsed time: what the taps saw, the counters, the
// states and the drops have to tell the same story, or it is Inconclusive and
// Why names the contradictions.
func Judge(x *Exchange) Trial {
	t := Trial{
		Latency:       map[segment.Side]time.Duration{},
		ChallengeACKs: map[segment.Side]int{},
		Paths:         map[segment.Side][]Step{},
		GivenUp:       map[segment.Side]time.Duration{},
		Waits:         map[segment.Side][]Wait{},
		States:        map[segment.Side]string{},
		Counters:      map[segment.Side]map[string]int64{},
		Drops:         map[segment.Side]uint32{},
		Exchange:      x,
		Why:           slices.Clone(x.Doubts),
	}
	if _, ok := x.Numbering(); !ok {
		t.doubt("the taps did not see the handshake")
	}
	for _, s := range segment.Sides {
		t.readWire(x, s)
		t.readPath(x, s)
		t.readWaits(x, s)
		t.countChallenges(x, s)
	}
	for _, s := range segment.Sides {
		t.readKernel(x, s)
		t.readGivingUp(x, s)
	}
	t.readReopening(x)
	t.holdAgainstAsked(x)
	t.holdAgainstNoise(x)
	reset := x.wasReset()
	lasting, lasts := x.lasts()
	switch {
	case lasts && !x.GaveUp:
		t.doubt("the recording ended while the %v's kernel still knew the connection", lasting)
	case !reset && !x.Over() && !t.timersRanOut() && !x.GaveUp:
		t.doubt("the recording ended before the teardown did")
	case !reset:
		t.holdStatesAgainstWire(x)
		t.holdProgramsAgainstWire(x)
	}

	switch {
	case len(t.Why) > 0:
		t.Outcome = Inconclusive
	case reset:
		t.Outcome = Reset
	case lasts:
		t.Outcome = Stuck
	case t.timersRanOut():
		t.Outcome = TimedOut
	case !x.Over():
		t.Outcome = Stuck
	case len(t.Retransmissions) > 0:
		t.Outcome = Retransmitted
	default:
		t.Outcome = Clean
	}
	return t
}

func (t *Trial) doubt(format string, args ...any) {
	t.Why = append(t.Why, fmt.Sprintf(format, args...))
}

// readWire takes what the taps tell of one side.
func (t *Trial) readWire(x *Exchange, s segment.Side) {
	if at, closed := x.closedAt(s); closed && x.End(s).Call != "" {
		t.Latency[s] = at - x.End(s).CalledAt
	}
	t.Overtook = append(t.Overtook, x.overtakings(s)...)
}

// readPath takes the states that a side went through.
func (t *Trial) readPath(x *Exchange, s segment.Side) {
	path, err := x.path(s)
	if err != nil {
		t.doubt("%v", err)
	}
	if len(path) > 0 {
		t.Paths[s] = path
	}
}

// readKernel takes what the kernel tells of one side and holds it against the
// wire.
func (t *Trial) readKernel(x *Exchange, s segment.Side) {
	end := x.End(s)
	if end.State != "" {
		t.States[s], t.Counters[s] = end.State, end.Counters
	}
	if end.Socket != nil {
		t.Drops[s] = end.Socket.Drops
	}
	t.attribute(x, s)
	if seen, counted := x.resets(s), int(end.Counters["OutRsts"]); seen != counted {
		t.doubt("the %v's tap saw %d RSTs sent, its kernel counted %d (OutRsts)", s, seen, counted)
	}
}

// countChallenges holds the challenge ACKs that the kernel counted against
// what was sent.
func (t *Trial) countChallenges(x *Exchange, s segment.Side) {
	end := x.End(s)
	counted := int(end.Counters["TCPChallengeACK"])
	if counted == 0 {
		return
	}
	t.ChallengeACKs[s] = counted
	if seen := len(x.refusals(s)); seen < counted {
		t.doubt("the %v's kernel counted %d challenge ACKs, its tap saw %d ACKs that could be one", s, counted, seen)
	}
	if end.Socket != nil && end.Socket.Drops == 0 {
		t.doubt("the %v sent a challenge ACK, but its socket dropped no segment (SK_MEMINFO_DROPS)", s)
	}
}

// holdAgainstAsked compares the overtakings seen with those asked for, and tells of each
// that is of no such kind once.
func (t *Trial) holdAgainstAsked(x *Exchange) {
	for _, asked := range x.Asked {
		if !slices.ContainsFunc(t.Overtook, func(s Sequence) bool { return s.Overtaking == asked }) {
			t.doubt("the order asked for was not seen at the %v's tap: %v", asked.From.Peer(), asked)
		}
	}
	var told []Overtaking
	for _, seen := range t.Overtook {
		if slices.Contains(slices.Concat(x.Asked, x.Permitted, told), seen.Overtaking) {
			continue
		}
		told = append(told, seen.Overtaking)
		t.doubt("an order nobody asked for was seen at the %v's tap: %v (%s before %s)",
			seen.At, seen.Overtaking, seen.FastSegment, seen.SlowSegment)
	}
}

// holdStatesAgainstWire compares what sock_diag says with what the taps saw. A
// socket may be gone without its end having closed: the kernel gives up too.
func (t *Trial) holdStatesAgainstWire(x *Exchange) {
	for _, s := range segment.Sides {
		_, closed := x.closedAt(s)
		state := x.End(s).State
		switch {
		case state == "": // no kernel to say
		case closed && state != "TIME_WAIT" && state != "CLOSE":
			t.doubt("by what the taps saw the %v is closed, but its socket is in %s", s, state)
		case !closed && state == "TIME_WAIT":
			t.doubt("the %v's socket is in TIME_WAIT, but by what the taps saw it is not closed", s)
		}
	}
}

// holdProgramsAgainstWire looks for programs that read on and were not told that
// the peer has closed, although the taps saw it accepted.
func (t *Trial) holdProgramsAgainstWire(x *Exchange) {
	for _, s := range segment.Sides {
		end := x.End(s)
		if _, closed := x.closedAt(s); closed && end.Reads && end.EOF == nil {
			t.doubt("by what the taps saw the %v is closed, but its program never read EOF", s)
		}
	}
}
