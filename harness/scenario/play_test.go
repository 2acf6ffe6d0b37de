package scenario_test

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

func TestPlayInOrder(t *testing.T) {
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		for _, closing := range []sock.Closing{sock.ShutdownWrite, sock.Close} {
			t.Run(string(family)+"/"+closing.Name, func(t *testing.T) {
				t.Parallel()
				trial, err := scenario.Play(t.Context(), scenario.Scenario{
					Name: "in-order", Family: family, ServerFirst: true,
					Server: scenario.Behaviour{Closing: closing},
				})
				if err != nil {
					t.Fatal(err)
				}
				if trial.Outcome != teardown.Clean || trial.States[segment.Server] != "TIME_WAIT" {
					t.Errorf("not a clean active close of the server: %s %v %v", trial.Outcome, trial.Why, trial.States)
				}
				if _, held := trial.Drops[segment.Server]; held != closing.Keeps {
					t.Errorf("after %s the socket is still there: %v", closing.Name, held)
				}
			})
		}
	}
}

func TestMissingSysctlIsAMissingCapability(t *testing.T) {
	t.Parallel()
	_, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "s", Family: topologies.IPv4,
		Client: scenario.Behaviour{Sysctls: map[string]string{"net.ipv4.tcp_from_the_future": "1"}},
	})
	var missing *kernel.MissingCapability
	if !errors.As(err, &missing) || missing.Name != "sysctl net.ipv4.tcp_from_the_future" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// astray sends everything for the server to a hardware address that nobody has,
// so that none of it arrives.
type astray struct{ pair topologies.Pair }

func (astray) Available() error            { return nil }
func (astray) Asks() []teardown.Overtaking { return nil }
func (astray) Idle() (bool, error)         { return true, nil }
func (astray) Fired() error                { return nil }
func (astray) KeptUp(time.Duration) error  { return nil }
func (astray) Watch(func(error))           {}
func (a astray) Build(l *lab.Lab, family topologies.Family) (scenario.Stage, error) {
	pair, err := topologies.NewPair(l, family)
	a.pair = pair
	return a, err
}
func (a astray) Ends() topologies.Pair { return a.pair }
func (a astray) Install(_, server netip.AddrPort) (scenario.Installed, error) {
	return a, a.pair.Client.Host.Netlink.NeighSet(&netlink.Neigh{
		LinkIndex: a.pair.Client.Index, State: netlink.NUD_PERMANENT,
		IP: server.Addr().AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0x99},
	})
}

func TestWhatNeverArrivesLeavesBothEndsStuck(t *testing.T) {
	t.Parallel()
	for serverFirst, want := range map[bool]map[segment.Side]string{
		false: {segment.Client: "CLOSING", segment.Server: "FIN_WAIT1"},
		true:  {segment.Client: "CLOSE_WAIT", segment.Server: "FIN_WAIT1"},
	} {
		trial, err := scenario.Play(t.Context(), scenario.Scenario{
			Name: "astray", Family: topologies.IPv4, Disturbance: astray{}, ServerFirst: serverFirst, Deadline: 100 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		if trial.Outcome != teardown.Stuck || !maps.Equal(trial.States, want) {
			t.Errorf("server first %v: %s %v in %v, want stuck in %v", serverFirst, trial.Outcome, trial.Why, trial.States, want)
		}
	}
}

// destroyed ends the server's socket before the closing calls, as ss -K does.
type destroyed struct{ astray }

func (d destroyed) Build(l *lab.Lab, family topologies.Family) (scenario.Stage, error) {
	pair, err := topologies.NewPair(l, family)
	d.pair = pair
	return d, err
}

func (d destroyed) Install(client, server netip.AddrPort) (scenario.Installed, error) {
	return d, d.pair.Server.Host.Netlink.SocketDestroy(net.TCPAddrFromAddrPort(server), net.TCPAddrFromAddrPort(client))
}

// A kernel that resets the connection under the programs' hands is an outcome,
// and no mistake of the harness.
func TestAResetBeforeTheClosingCallsIsAReset(t *testing.T) {
	t.Parallel()
	for _, serverFirst := range []bool{false, true} {
		for _, closing := range []sock.Closing{sock.ShutdownWrite, sock.Close} {
			trial, err := scenario.Play(t.Context(), scenario.Scenario{
				Name: "destroyed", Family: topologies.IPv4, Disturbance: destroyed{}, ServerFirst: serverFirst,
				Server: scenario.Behaviour{Closing: closing},
			})
			if errors.Is(err, unix.EOPNOTSUPP) {
				t.Skip("this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)")
			}
			if err != nil {
				t.Fatal(err)
			}
			if trial.Outcome != teardown.Reset {
				t.Errorf("server first %v, %s: %s %q", serverFirst, closing.Name, trial.Outcome, trial.Why)
			}
		}
	}
}

// lazy is a disturbance that does not do what it is for.
type lazy struct{ destroyed }

func (z lazy) Install(_, _ netip.AddrPort) (scenario.Installed, error) { return z, nil }
func (lazy) Fired() error                                              { return errors.New("it never fired") }

func (z lazy) Build(l *lab.Lab, family topologies.Family) (scenario.Stage, error) {
	pair, err := topologies.NewPair(l, family)
	z.pair = pair
	return z, err
}

func TestADisturbanceThatDidNothingIsInconclusive(t *testing.T) {
	t.Parallel()
	trial, err := scenario.Play(t.Context(), scenario.Scenario{Name: "lazy", Family: topologies.IPv4, Disturbance: lazy{}})
	if err != nil {
		t.Fatal(err)
	}
	if trial.Outcome != teardown.Inconclusive || !slices.Contains(trial.Why, "it never fired") {
		t.Errorf("%s %q", trial.Outcome, trial.Why)
	}
}

// broken is a disturbance that breaks as soon as it is built.
type broken struct{ lazy }

func (b broken) Build(l *lab.Lab, family topologies.Family) (scenario.Stage, error) {
	stage, err := b.lazy.Build(l, family)
	b.lazy = stage.(lazy)
	return b, err
}

func (broken) Watch(tell func(error)) { tell(errors.New("it snapped")) }

func TestAStageThatBreaksEndsTheTrialWithItsName(t *testing.T) {
	t.Parallel()
	_, err := scenario.Play(t.Context(), scenario.Scenario{Name: "broken", Family: topologies.IPv4, Disturbance: broken{}})
	if err == nil || !strings.Contains(err.Error(), "it snapped") {
		t.Errorf("got %v", err)
	}
}

// frail is a disturbance that breaks when the teardown is over, and so while the
// recording is ended.
type frail struct {
	lazy
	tell *func(error)
}

func (f frail) Build(l *lab.Lab, family topologies.Family) (scenario.Stage, error) {
	stage, err := f.lazy.Build(l, family)
	f.lazy = stage.(lazy)
	return f, err
}

func (f frail) Watch(tell func(error))                                  { *f.tell = tell }
func (f frail) Install(_, _ netip.AddrPort) (scenario.Installed, error) { return f, nil }

func (f frail) Idle() (bool, error) {
	(*f.tell)(errors.New("it snapped"))
	return true, nil
}

func TestAStageThatBreaksWhileTheRecordingEndsIsNoOutcome(t *testing.T) {
	t.Parallel()
	trial, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "frail", Family: topologies.IPv4, Disturbance: frail{tell: new(func(error))},
	})
	if err == nil || !strings.Contains(err.Error(), "it snapped") {
		t.Errorf("got %v, and %s %q", err, trial.Outcome, trial.Why)
	}
}

// A FIN behind data that is on its way would change how that is sent again.
func TestTheClientClosesLastWhenItsLastWordsHaveArrived(t *testing.T) {
	t.Parallel()
	const words = 1000
	trial, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "last-words", Family: topologies.IPv4, ServerFirst: true, Client: scenario.Behaviour{LastWords: words},
		Disturbance: scenario.Wire(
			[]teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindData}},
			"delay client data by 100ms"),
	})
	if err != nil {
		t.Fatal(err)
	}
	x := trial.Exchange
	numbering, _ := x.Numbering()
	told := slices.IndexFunc(x.Client.Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && numbering.Relative(seen.Segment).Ack == 4416+words
	})
	if told < 0 || x.Client.CalledAt < x.Client.Sightings[told].At {
		t.Errorf("the client closed at %v, %s %q", x.Client.CalledAt, trial.Outcome, trial.Why)
	}
}

// A rule that never fires, and one that cannot finish, are named.
func TestAnUnfinishedRuleIsInconclusive(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"drop server rst", "delay client fin by 1h"} {
		trial, err := scenario.Play(t.Context(), scenario.Scenario{
			Name: "unfinished", Family: topologies.IPv4, Deadline: 100 * time.Millisecond,
			Disturbance: scenario.Wire(nil, rule),
		})
		if err != nil {
			t.Fatal(err)
		}
		if trial.Outcome != teardown.Inconclusive || !strings.Contains(strings.Join(trial.Why, "\n"), rule) {
			t.Errorf("%s: %s %q", rule, trial.Outcome, trial.Why)
		}
	}
}

func TestPrepareSetsSocketOptions(t *testing.T) {
	t.Parallel()
	trial, err := scenario.Play(t.Context(), scenario.Scenario{
		Name: "linger2", Family: topologies.IPv4, ServerFirst: true,
		Server: scenario.Behaviour{Closing: sock.Close, Prepare: func(c *sock.Conn) error { return c.SetLinger2(-1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if set := trial.Exchange.Server.Setup.Options; !slices.Equal(set, []teardown.SocketOption{{Name: "TCP_LINGER2", Value: -1}}) {
		t.Errorf("it says that %v was set", set)
	}
	// Without time in FIN_WAIT2 the kernel sends a RST (TCPAbortOnData).
	if trial.Outcome != teardown.Reset || trial.Counters[segment.Server]["TCPAbortOnData"] != 1 {
		t.Errorf("%s %q %v", trial.Outcome, trial.Why, trial.Counters)
	}
}

func TestWireBringsAboutTheOrder(t *testing.T) {
	t.Parallel()
	late := []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		trial, err := scenario.Play(t.Context(), scenario.Scenario{
			Name: "wired", Family: family,
			Disturbance: scenario.Wire(late, "hold client fin until client ack-of-fin"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if trial.Outcome == teardown.Inconclusive || len(trial.Overtook) != 1 {
			t.Errorf("over %s: %s %q %v", family, trial.Outcome, trial.Why, trial.Overtook)
		}
	}
}
