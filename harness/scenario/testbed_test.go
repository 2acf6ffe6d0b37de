package scenario

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

var lateness = []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}

// lateFIN is a scenario whose testbed can be used again.
func lateFIN(family topologies.Family) Scenario {
	return Scenario{
		Name: "late", Family: family,
		Disturbance: Wire(lateness, "hold client fin until client ack-of-fin"),
	}
}

func newTestbed(t *testing.T, s Scenario) *testbed {
	t.Helper()
	b, err := s.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// leave plays a testbed's scenario and says nothing to what it leaves behind.
func leave(t *testing.T, b *testbed) {
	t.Helper()
	if _, err := b.play(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// needsDestroy skips a test on a kernel on which TIME_WAIT is left of every
// connection.
func needsDestroy(t *testing.T, b *testbed) {
	t.Helper()
	nobody := netip.MustParseAddrPort("192.0.2.9:9")
	if err := b.kernels[segment.Client].Destroy(nobody, nobody); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)")
	}
}

func wantUnclean(t *testing.T, b *testbed, why string) {
	t.Helper()
	if err := b.clear(t.Context()); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("a testbed in which %q was cleared: %v", why, err)
	}
}

func TestAConnectionThatEndedLeavesACleanTestbed(t *testing.T) {
	t.Parallel()
	for _, s := range []Scenario{
		lateFIN(topologies.IPv4), lateFIN(topologies.IPv6),
		{Name: "plain", Family: topologies.IPv4, Server: Behaviour{Closing: sock.Close}},
		{Name: "plain", Family: topologies.IPv4Mapped, ServerFirst: true},
	} {
		b := newTestbed(t, s)
		needsDestroy(t, b)
		for range 3 {
			leave(t, b)
			if err := b.clear(t.Context()); err != nil {
				t.Errorf("%s over %s: %v", s.Name, s.Family, err)
			}
		}
	}
}

func TestASocketThatIsLeftIsUnclean(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, lateFIN(topologies.IPv4))
	leave(t, b)
	address := netip.AddrPortFrom(b.pair.Server.Addresses[0].Addr(), 0)
	left, err := sock.Listen(t.Context(), b.pair.Server.Host, address)
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	wantUnclean(t, b, "the server has 1 TCP sockets left")
}

// What no program holds any more counts as well.
func TestTimeWaitIsUnclean(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, lateFIN(topologies.IPv4))
	needsDestroy(t, b)
	server, client := b.pair.Server, b.pair.Client
	listener, err := sock.Listen(t.Context(), server.Host, netip.AddrPortFrom(server.Addresses[0].Addr(), 0))
	if err != nil {
		t.Fatal(err)
	}
	one, err := sock.Dial(t.Context(), client.Host, listener.Addr)
	if err != nil {
		t.Fatal(err)
	}
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if _, err := one.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.ReadToEOF(); err != nil {
		t.Fatal(err)
	}
	other.Close()
	if _, err := one.ReadToEOF(); err != nil {
		t.Fatal(err)
	}
	one.Close()
	b.capture.Stop(t.Context())
	wantUnclean(t, b, "the client has 1 TCP sockets left")
	if err := b.kernels[0].Destroy(one.Local, one.Remote); err != nil {
		t.Fatal(err)
	}
	if err := b.clear(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASegmentAfterTheRecordingIsUnclean(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, lateFIN(topologies.IPv4))
	needsDestroy(t, b)
	leave(t, b)
	closed := netip.AddrPortFrom(b.pair.Server.Addresses[0].Addr(), 9)
	if _, err := sock.Dial(t.Context(), b.pair.Client.Host, closed); err == nil {
		t.Fatal("somebody listens on port 9")
	}
	wantUnclean(t, b, "saw 2 segments after the recording had ended")
}

func TestADisturbanceThatIsNotTakenBackIsUnclean(t *testing.T) {
	t.Parallel()
	s := lateFIN(topologies.IPv4)
	s.Disturbance = Wire(nil, "drop server rst")
	b := newTestbed(t, s)
	leave(t, b)
	wantUnclean(t, b, "never fired")

	s.Disturbance = lasting{Wire(lateness)}
	b = newTestbed(t, s)
	leave(t, b)
	wantUnclean(t, b, "cannot be taken back")
}

// lasting is a disturbance of which nobody knows how to take it back.
type lasting struct{ Wired }

func (d lasting) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	stage, err := d.Wired.Build(l, family)
	return struct{ Stage }{stage}, err
}

// A player keeps its testbed after a connection that ended, and only then.
func TestWhatATestbedIsKeptAfter(t *testing.T) {
	t.Parallel()
	needsDestroy(t, newTestbed(t, lateFIN(topologies.IPv4)))
	clean := Scenario{Name: "clean", Family: topologies.IPv4, ServerFirst: true}
	reset := clean
	reset.Server = Behaviour{Closing: sock.Close, Prepare: func(c *sock.Conn) error { return c.SetLinger2(-1) }}
	inconclusive := lateFIN(topologies.IPv4)
	inconclusive.Disturbance = Wire(lateness) // which is not brought about
	for _, c := range []struct {
		outcome teardown.Outcome
		s       Scenario
		kept    bool
	}{{teardown.Clean, clean, true}, {teardown.Reset, reset, false}, {teardown.Inconclusive, inconclusive, false}} {
		p := player{Scenario: c.s}
		t.Cleanup(p.leave)
		var beds [2]*testbed
		for i := range beds {
			trial, err := p.play(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if trial.Outcome != c.outcome {
				t.Errorf("%s, want %s: %q", trial.Outcome, c.outcome, trial.Why)
			}
			beds[i] = p.bed
		}
		if kept := beds[0] != nil && beds[0] == beds[1]; kept != c.kept {
			t.Errorf("after a trial that ended %s the testbed was kept: %v", c.outcome, kept)
		}
	}
}
