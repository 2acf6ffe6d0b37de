package behaviour

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/forge"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// A stage is a server of the running kernel's and a client that is played by hand, on
// the two ends of a veth pair. Its methods end the experiment where they cannot do
// what they are for, as those of testing.T do, so that an experiment reads like the
// protocol.
type stage struct {
	*attempt
	pair     topologies.Pair
	kernel   *observe.Observer // asks the server's
	listener *sock.Listener
	local    netip.AddrPort // the server's address
	server   *sock.Conn
	client   *forge.Client
	numbers  segment.Numbering
	edge     uint32 // of the server's window, on the right
	before   observe.Counters
}

// An attempt is one experiment. It may have several stages.
type attempt struct {
	ctx   context.Context
	built *lab.Lab
	shown Observation
	// failure is why the harness could not do its work.
	failure error
}

// check ends the experiment if the harness could not do its work.
func (a *attempt) check(err error) {
	if err == nil {
		return
	}
	if cause := context.Cause(a.ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	a.failure = err
	runtime.Goexit()
}

// doubt ends the experiment without an answer.
func (a *attempt) doubt(format string, args ...any) {
	a.shown.Why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// longest is how many lines of an exchange are kept.
const longest = 100

// note writes down what happened.
func (a *attempt) note(format string, args ...any) {
	switch n := len(a.shown.Exchange); {
	case n < longest:
		a.shown.Exchange = append(a.shown.Exchange, fmt.Sprintf(format, args...))
	case n == longest:
		a.shown.Exchange = append(a.shown.Exchange, "and so on")
	}
}

// show writes down a segment, with its numbers from the connection's beginning.
func (s *stage) show(seg segment.Segment) {
	arrow := "<"
	if seg.Src == s.client.Local {
		arrow = ">"
	}
	if seg.Flags.Has(segment.SYN) {
		if s.numbers.ClientPort = s.client.Local.Port(); arrow == ">" {
			s.numbers.Client = seg.Seq
		} else {
			s.numbers.Server = seg.Seq
		}
	}
	if arrow == "<" {
		s.edge = seg.Ack + uint32(seg.Window)
	}
	line := fmt.Sprintf("%s %v win %d", arrow, s.numbers.Relative(seg), seg.Window)
	if seg.Options.HasTimestamps {
		line += fmt.Sprintf(" TS %d ecr %d", seg.Options.TSVal, seg.Options.TSEcr)
	}
	s.note("%s", line)
}

// stage builds a stage in a lab of the attempt's.
func (a *attempt) stage() *stage {
	s := &stage{attempt: a}
	var err error
	s.pair, err = topologies.NewForged(s.built, topologies.IPv4)
	s.check(err)
	s.kernel, err = observe.Open(s.pair.Server.Host)
	s.check(err)
	s.built.OnClose(s.kernel.Close)
	return s
}

// sysctl sets a parameter of the server's kernel that every kernel has which makes
// the experiment worth while.
func (s *stage) sysctl(name, value string) {
	if !s.hasSysctl(name, value) {
		s.check(&kernel.MissingCapability{Name: "sysctl " + name, Err: fs.ErrNotExist})
	}
}

// hasSysctl sets a parameter of the server's kernel, if there is such a one.
func (s *stage) hasSysctl(name, value string) bool {
	err := s.pair.Server.Host.SetSysctl(name, value)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	s.check(err)
	s.note("server: sysctl %s=%s", name, value)
	return true
}

// route says what the server's route to the client is like.
func (s *stage) route(m lab.RouteMetrics) {
	s.check(s.pair.Server.RouteWith(s.client.Local.Addr(), m))
}

// listen has the server listen, and a client ready that has sent nothing. The server
// acknowledges everything at once, so that nothing comes late.
func (s *stage) listen() { s.listenBy(lab.RouteMetrics{QuickACK: true}) }

func (s *stage) listenBy(route lab.RouteMetrics) {
	var err error
	s.listener, err = sock.Listen(s.ctx, s.pair.Server.Host, netip.AddrPortFrom(s.pair.Server.Addresses[0].Addr(), 0))
	s.check(err)
	s.built.OnClose(s.listener.Close)
	s.forge(s.listener.Addr)
	s.route(route)
}

// forge makes the client, which is to speak to a port of the server's.
func (s *stage) forge(local netip.AddrPort) {
	var err error
	s.local = local
	s.client, err = forge.Open(s.pair.Client, s.pair.Server, local)
	s.check(err)
	s.built.OnClose(func() {
		s.client.Trace = nil // the experiment is over
		s.client.Abort()
	})
	s.client.Trace = s.show
}

// shakeHands opens the connection.
func (s *stage) shakeHands() {
	s.check(s.client.ShakeHands(s.ctx))
	s.accept()
}

// accept takes the connection from the listener.
func (s *stage) accept() {
	conn, err := s.listener.Accept()
	s.check(err)
	s.hold(conn)
}

// hold makes a connection the server's.
func (s *stage) hold(conn *sock.Conn) {
	s.server = conn
	s.built.OnClose(s.abandon)
}

// abandon ends what is left of the connection, because an orphan keeps its namespace.
func (s *stage) abandon() {
	_, _ = s.server.End(sock.CloseLingering(0))
	_ = s.kernel.Destroy(s.local, s.client.Local)
}

// open is all that comes before a connection is open and idle.
func (s *stage) open() {
	s.listen()
	s.shakeHands()
}

// stamp is the client's first timestamp.
const stamp = 100_000

// openWithTimestamps is open with timestamps (RFC 7323), the first of which is stamp.
func (s *stage) openWithTimestamps() {
	s.listen()
	s.client.TSVal = stamp
	s.shakeHands()
}

// send sends a segment of the client's.
func (s *stage) send(seg segment.Segment) { s.check(s.client.Send(seg)) }

// ask sends a segment of the client's and returns what the server answers.
func (s *stage) ask(seg segment.Segment) []segment.Segment {
	s.send(seg)
	return s.settle()
}

// settle returns what the server has sent that was not yet taken.
func (s *stage) settle() []segment.Segment {
	answers, err := s.client.Settle(s.ctx)
	s.check(err)
	return answers
}

// next is a segment of the client's that comes next in sequence and acknowledges all.
func (s *stage) next(flags segment.Flags, octets int) segment.Segment {
	return segment.Segment{Flags: flags | segment.ACK, Seq: s.client.SndNxt, Ack: s.client.RcvNxt, Length: octets}
}

// write has the client send octets that the server's program reads, and returns the
// segment.
func (s *stage) write(octets int) segment.Segment {
	seg := s.next(0, octets)
	s.send(seg)
	s.client.SndNxt = seg.End()
	s.check(s.server.Read(octets))
	s.note("server: read %d octets", octets)
	s.settle()
	return seg
}

// respond has the server's program send octets, and the client acknowledge them.
func (s *stage) respond(octets int) {
	s.note("server: write %d octets", octets)
	s.check(s.server.Write(make([]byte, octets)))
	s.check(s.client.Read(s.ctx, octets))
	s.settle()
}

// shutdown is the server's shutdown(SHUT_WR); the client takes what it sends.
func (s *stage) shutdown() { s.end(sock.ShutdownWrite) }

// close is the server's close().
func (s *stage) close() []segment.Segment { return s.end(sock.Close) }

// end ends the connection and returns what the server sends.
func (s *stage) end(how sock.Closing) []segment.Segment {
	s.note("server: %s", how.Name)
	_, err := s.server.End(how)
	s.check(err)
	return s.settle()
}

// reach wants the server to have come to a state: there is nothing to be seen of the
// question otherwise.
func (s *stage) reach(want observe.State) {
	if got := s.state(); got != want {
		s.doubt("the server is in %s, where the experiment wants it in %s", got, want)
	}
}

func (s *stage) state() observe.State {
	state, err := s.kernel.StateOf(s.local, s.client.Local)
	s.check(err)
	return state
}

// count has moved count from here on.
func (s *stage) count() {
	var err error
	s.before, err = s.kernel.Counters()
	s.check(err)
}

// moved are the counters of the server's kernel that have changed since count.
func (s *stage) moved() observe.Counters {
	now, err := s.kernel.Counters()
	s.check(err)
	return now.Moved(s.before)
}

// agreed returns an answer if the kernel's counters agree with it: if each of those
// named has moved by so much since count, and by nothing where that is 0. Where
// kernels count the same thing by different names, these stand together, with a plus
// between them. A kernel that does not have a counter counts nothing.
func (s *stage) agreed(words string, want observe.Counters) string {
	moved := s.moved()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var by int64
		for _, either := range strings.Split(name, "+") {
			by += moved[either]
		}
		if by != want[name] {
			s.doubt("what was seen is %q, but the counter %s moved by %d, and not by %d", words, name, by, want[name])
		}
	}
	return words
}

// unforeseen ends the experiment because the server answered as no kernel does that
// is known.
func (s *stage) unforeseen(answers []segment.Segment) string {
	if len(answers) == 0 {
		s.doubt("there was no answer; the counters that moved are %v", s.moved())
	}
	var shown []string
	for _, a := range answers {
		shown = append(shown, s.numbers.Relative(a).String())
	}
	s.doubt("the answer was %s; the counters that moved are %v", strings.Join(shown, ", then "), s.moved())
	return ""
}
