package sock_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

func TestALingeringCloseWaitsForTheAckAndHindersNobody(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	_, client, server := connect(t, t.Context(), a, b)
	sendTo(t, a, client.Remote.Addr(), nobody)
	const patience = 100 // s
	closed := make(chan error, 1)
	begun := clock.Now()
	go func() {
		_, err := client.End(sock.CloseLingering(patience))
		closed <- err
	}()
	until(t, func() bool { return hasSocketIn(t, a, "04") }) // FIN_WAIT1

	near, far := connected(t, t.Context())
	if err := near.Entrust(); err != nil {
		t.Error(err)
	}
	if err := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.list=^$").Run(); err != nil {
		t.Error(err)
	}
	for _, c := range []*sock.Conn{near, far} {
		if _, err := c.Close(); err != nil {
			t.Error(err)
		}
	}

	select {
	case err := <-closed:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	sendTo(t, a, client.Remote.Addr(), link(t, b).Attrs().HardwareAddr)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if took := clock.Now().Sub(begun); took >= patience*time.Second {
		t.Errorf("it waited for %v, and not for the ACK", took)
	}
	if _, err := server.ReadToEOF(); err != nil {
		t.Error(err)
	}
}

func TestALingeringCloseGivesUp(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	_, client, _ := connect(t, t.Context(), a, b)
	sendTo(t, a, client.Remote.Addr(), nobody)
	at, err := client.End(sock.CloseLingering(1))
	if err != nil {
		t.Fatal(err)
	}
	if took := clock.Now().Sub(at); took < time.Second {
		t.Errorf("it waited for %v, want 1 s", took)
	}
}

// nobody is a hardware address that no link has.
var nobody = net.HardwareAddr{0x02, 0xff, 0, 0, 0, 0}

// hasSocketIn reports whether a host has an IPv4 TCP socket in a state, which is
// given as /proc/net/tcp gives it.
func hasSocketIn(t *testing.T, host *lab.Host, state string) (has bool) {
	t.Helper()
	if err := host.Do(func() error {
		table, err := os.ReadFile("/proc/thread-self/net/tcp")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(table)) {
			if fields := strings.Fields(line); fields[3] == state {
				has = true
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return has
}
