//go:build vm

package main

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// TestTheCase is what finwait was made for, on two real kernels: Linux 5.10
// drops a FIN that its own ACK overtook wherever a full socket is left in
// FIN_WAIT2, 6.12 does not. A record of any other behaviour is a mistake of
// ours, or news.
func TestTheCase(t *testing.T) {
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--baseline", "debian/bullseye", "--out", out, "debian/trixie")
	if status != exitNoRegression {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	if !strings.Contains(stdout, "34 improved (overtaken-fin/forged-client/server-close-fin-timeout-61/ipv4") {
		t.Errorf("the change is not listed as improved:\n%s", stdout)
	}
	old, candidate := filepath.Join(out, "debian-bullseye", "record.json"), filepath.Join(out, "debian-trixie", "record.json")
	for path, expect := range map[string]func(*testing.T, report.Scenario){old: expectDropped, candidate: expectGood} {
		record, err := report.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(record.Scenarios) != scenarios {
			t.Errorf("%v: %d scenarios, want %d", record.Kernel, len(record.Scenarios), scenarios)
		}
		for _, s := range record.Scenarios {
			t.Run(record.Kernel.Source+"/"+s.Name, func(t *testing.T) { expect(t, s) })
		}
	}

	status, stdout, _ = gate(t, "compare", candidate, old)
	if status != exitRegression || !strings.Contains(stdout, "34 regressed (overtaken-fin/forged-client/server-close-fin-timeout-61/ipv4") {
		t.Errorf("the way back exits %d, want %d:\n%s", status, exitRegression, stdout)
	}
}

// scenarios is how many there are: in order, overtaken in three ways, the
// client's FIN lost and the server's, by eight closing paths, and crossing and
// forged by three each, over two families; and the example.
const scenarios = (6*8+3+3)*2 + 1

// expectGood wants what the scenario says of a good kernel.
func expectGood(t *testing.T, s report.Scenario) {
	if s.Outcome != s.Expected {
		t.Errorf("%s, want %s", s.Outcome, s.Expected)
	}
}

// full are the closing paths that leave a full socket in FIN_WAIT2.
var full = []string{
	"server-shutdown", "server-shutdown-rdwr",
	"server-close-fin-timeout-61", "server-close-fin-timeout-120", "server-close-linger2-61",
}

func expectDropped(t *testing.T, s report.Scenario) {
	parts := strings.Split(s.Name, "/")
	forged := parts[1] == "forged-client"
	if forged {
		parts = slices.Delete(parts, 1, 2)
	}
	if parts[0] != "overtaken-fin" || !slices.Contains(full, parts[1]) {
		expectGood(t, s)
		return
	}
	trial := s.Trials[0]
	if trial.ChallengeACKs[segment.Server] != 1 || trial.ChallengeACKs[segment.Client] != 0 {
		t.Errorf("challenge ACKs %v", trial.ChallengeACKs)
	}
	if forged { // it sends nothing twice
		if s.Outcome != teardown.Stuck || len(trial.Retransmissions) != 0 {
			t.Errorf("%s after %d retransmissions", s.Outcome, len(trial.Retransmissions))
		}
		return
	}
	if s.Outcome != teardown.Retransmitted || len(trial.Retransmissions) != 1 {
		t.Fatalf("%s after %d retransmissions", s.Outcome, len(trial.Retransmissions))
	}
	again := trial.Retransmissions[0]
	if again.From != segment.Client || !again.FIN || again.Timer != teardown.TLP ||
		again.Delay < 200*time.Millisecond || again.Delay > 260*time.Millisecond {
		t.Errorf("sent again was %v", again)
	}
}

// BenchmarkGate is the main job with its kernels downloaded.
func BenchmarkGate(b *testing.B) {
	for b.Loop() {
		var stderr bytes.Buffer
		args := []string{"run", "--baseline", "debian/bullseye", "--out", b.TempDir(), "debian/trixie"}
		if status := run(b.Context(), args, io.Discard, &stderr); status != exitNoRegression {
			b.Fatalf("it exits %d: %s", status, &stderr)
		}
	}
}
