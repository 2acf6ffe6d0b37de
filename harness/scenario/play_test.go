package scenario_test

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/scenario"
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
				if trial.Outcome != teardown.Clean || trial.States[teardown.Server] != "TIME_WAIT" {
					t.Errorf("not a clean active close of the server: %s %v %v", trial.Outcome, trial.Why, trial.States)
				}
				if _, held := trial.Drops[teardown.Server]; held != closing.Keeps {
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
type astray struct{}

func (astray) Available() error            { return nil }
func (astray) Asks() []teardown.Overtaking { return nil }
func (astray) Idle() (bool, error)         { return true, nil }
func (astray) Fired() error                { return nil }
func (a astray) Install(pair topologies.Pair, _, server netip.AddrPort) (scenario.Installed, error) {
	return a, pair.Client.Host.Netlink.NeighSet(&netlink.Neigh{
		LinkIndex: pair.Client.Index, State: netlink.NUD_PERMANENT,
		IP: server.Addr().AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0x99},
	})
}

func TestWhatNeverArrivesLeavesBothEndsStuck(t *testing.T) {
	t.Parallel()
	for serverFirst, want := range map[bool]map[teardown.Side]string{
		false: {teardown.Client: "CLOSING", teardown.Server: "FIN_WAIT1"},
		true:  {teardown.Client: "CLOSE_WAIT", teardown.Server: "FIN_WAIT1"},
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
