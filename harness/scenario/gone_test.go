package scenario_test

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// untilGone is a server that closes and is followed until it is gone, and a client that
// does nothing about it.
func untilGone(server scenario.Behaviour) scenario.Scenario {
	return scenario.Scenario{
		Name: "gone", Family: topologies.IPv4,
		Client: scenario.Behaviour{Stays: true}, Server: server,
		UntilGone: []segment.Side{segment.Server},
	}
}

func mustPlay(t *testing.T, s scenario.Scenario, want teardown.Outcome) teardown.Trial {
	t.Helper()
	trial, err := scenario.Play(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if trial.Outcome != want {
		t.Fatalf("%s because %v, want %s", trial.Outcome, trial.Why, want)
	}
	return trial
}

// What close() leaves in FIN_WAIT2 is found again and again, and is gone when its timer
// is over.
func TestAnOrphanIsFollowedUntilItIsGone(t *testing.T) {
	t.Parallel()
	trial := mustPlay(t, untilGone(scenario.Behaviour{
		Closing: sock.Close, Sysctls: map[string]string{"net.ipv4.tcp_fin_timeout": "1"},
	}), teardown.TimedOut)
	if trial.States[segment.Client] != "CLOSE_WAIT" || trial.Exchange.Client.Call != "" {
		t.Errorf("the client did %q and is in %s", trial.Exchange.Client.Call, trial.States[segment.Client])
	}
	if gaveUp := trial.GivenUp[segment.Server]; len(trial.GivenUp) != 1 || gaveUp < time.Second {
		t.Errorf("gave up %v", trial.GivenUp)
	}
	waits := trial.Waits[segment.Server]
	if last := waits[len(waits)-1]; last.Timer != "timewait" || (last.For-time.Second).Abs() > trial.Exchange.Jiffy+time.Millisecond {
		t.Errorf("it waited %v", waits)
	}
}

func TestAProgramIsToldThatItsConnectionWasGivenUp(t *testing.T) {
	t.Parallel()
	s := untilGone(scenario.Behaviour{
		RTOMin:  20 * time.Millisecond,
		Prepare: func(c *sock.Conn) error { return c.SetUserTimeout(200 * time.Millisecond) },
	})
	s.Disturbance = scenario.Wire(nil, "drop every server any")
	trial := mustPlay(t, s, teardown.TimedOut)
	if got := trial.Exchange.Server.ReadError; got != "ETIMEDOUT" {
		t.Errorf("the program was told %q", got)
	}
	if len(trial.Retransmissions) < 2 || len(trial.Waits[segment.Server]) <= len(trial.Retransmissions) {
		t.Errorf("it sent again %v, and waited %v", trial.Retransmissions, trial.Waits[segment.Server])
	}
}

func TestAnEndThatIsWaitedForInVainIsStuck(t *testing.T) {
	t.Parallel()
	s := untilGone(scenario.Behaviour{Closing: sock.Close})
	s.Deadline = 200 * time.Millisecond
	trial := mustPlay(t, s, teardown.Stuck)
	if trial.States[segment.Server] != "FIN_WAIT2" {
		t.Errorf("the server is in %s", trial.States[segment.Server])
	}
}

// A peer that does not answer keepalives is reset.
func TestKeepaliveEndsAConnection(t *testing.T) {
	t.Parallel()
	s := untilGone(scenario.Behaviour{Prepare: func(c *sock.Conn) error {
		return c.SetKeepalive(sock.Keepalive{Idle: time.Second, Interval: time.Second, Probes: 1})
	}})
	s.Disturbance = scenario.Wire(nil, "drop every server any after client ack-of-fin")
	trial := mustPlay(t, s, teardown.Reset)
	if got := trial.Exchange.Server.ReadError; got != "ETIMEDOUT" {
		t.Errorf("the program was told %q", got)
	}
}

func TestAPortCanBeUsedAgainBecauseOfTWReuse(t *testing.T) {
	t.Parallel()
	trial := mustPlay(t, scenario.Scenario{
		Name: "reopens", Family: topologies.IPv4, Reopens: true,
		Client: scenario.Behaviour{Sysctls: map[string]string{"net.ipv4.ip_local_port_range": "40000 40000", "net.ipv4.tcp_tw_reuse": "1"}},
		Server: scenario.Behaviour{Closing: sock.Close},
	}, teardown.Clean)
	r := trial.Reopened
	const timeWait = 60 * time.Second // without tcp_tw_reuse (include/net/tcp.h, TCP_TIMEWAIT_LEN)
	if r == nil || r.Opened >= timeWait || r.Refused > 0 && r.LastRefused > r.Opened {
		t.Errorf("reopened %+v", r)
	}
}

func TestAWindowIsFilledToTheLastOctet(t *testing.T) {
	t.Parallel()
	s := untilGone(scenario.Behaviour{Closing: sock.Close, Says: 3 * 16384, FillsWindow: true, Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 131072 131072"}})
	s.Client.Sysctls = map[string]string{"net.ipv4.tcp_rmem": "4096 16384 16384"}
	s.Deadline = 100 * time.Millisecond
	trial := mustPlay(t, s, teardown.Stuck)
	server := trial.Exchange.Server
	window := uint16(1)
	for _, seen := range server.Sightings {
		if !seen.Sent && seen.At < server.CalledAt {
			window = seen.Window
		}
	}
	if window != 0 || trial.States[segment.Server] != "FIN_WAIT1" {
		t.Errorf("the window was %d as the server closed, which is in %s", window, trial.States[segment.Server])
	}
}
