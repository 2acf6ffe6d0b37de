package behaviour

import (
	"errors"
	"io/fs"
	"net/netip"
	"time"

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

// stage builds a stage in a lab of the attempt's.
func (a *attempt) stage() *stage {
	s := &stage{attempt: a}
	var err error
	s.pair, err = topologies.NewForged(s.built, a.family)
	if errors.Is(err, lab.ErrNoIPv6) {
		err = &kernel.MissingCapability{Name: "IPv6", Err: err}
	}
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

var (
	// unhurried has the server acknowledge everything at once, so that nothing comes
	// late, and send nothing again before an experiment is over.
	unhurried = lab.RouteMetrics{QuickACK: true, RTOMin: 2 * time.Second}
	// usual leaves the timers as they are by default.
	usual = lab.RouteMetrics{QuickACK: true}
)

// listen has the server listen, and a client ready that has sent nothing.
func (s *stage) listen() { s.listenBy(unhurried) }

// listenBy is listen by a route to the client that is like that.
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
