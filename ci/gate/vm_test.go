//go:build vm

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/ladder"
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
	expectNoRegression(t, status, out, stdout, stderr)
	old, candidate := filepath.Join(out, "debian-bullseye", "record.json"), filepath.Join(out, "debian-trixie", "record.json")
	dropped := expect(t, old, isDropped)
	expect(t, candidate, func(string) bool { return false })
	// What is expected of names proves nothing where a name is missing.
	if theCase := "overtaken-fin/server-shutdown/ipv4"; !slices.Contains(dropped, theCase) {
		t.Errorf("%s was not played", theCase)
	}

	t.Run("captures open in tshark", func(t *testing.T) { expectOpens(t, out) })
	t.Run("tshark agrees", func(t *testing.T) { expectAgreement(t, old, candidate) })

	if got := changedTo(t, out, report.Improved); !slices.Equal(got, dropped) {
		t.Errorf("what is listed as improved is not %s, but %s", dropped, got)
	}
	endsWith(t, stdout, fmt.Sprintf("no regression from debian/bullseye.*: %d improved; .*\nThe report is %s;.*", len(dropped), filepath.Join(out, pageFile)))
	status, stdout, _ = gate(t, "compare", candidate, old)
	if status != exitRegression {
		t.Errorf("the way back exits %d, want %d", status, exitRegression)
	}
	endsWith(t, stdout, fmt.Sprintf("regression from debian/trixie.*: %d regressed; .*", len(dropped)))
}

// expectNoRegression wants the gate to have exited so. Where it has not, the test says what
// the gate said last, and all of how each scenario went about which nothing is certain.
func expectNoRegression(t *testing.T, status int, out, stdout, stderr string) {
	t.Helper()
	if status == exitNoRegression {
		return
	}
	said := closing(stdout) + stderr
	records, err := filepath.Glob(filepath.Join(out, "*", recordFileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range records {
		record, err := report.Salvage(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range record.Scenarios {
			for _, trial := range s.Trials {
				if trial.Outcome == teardown.Inconclusive {
					said += fmt.Sprintf("%s on %s:\n%s", s.Name, record.Kernel.Source, ladder.Text(trial))
				}
			}
		}
	}
	t.Fatalf("it exits %d\n%s", status, said)
}

// closing is what a command says after the last trial, and all of it where it plays none.
func closing(stdout string) string {
	if _, after, found := strings.Cut(stdout, "\n\n"); found {
		return after
	}
	return stdout
}

// changedTo are the scenarios that changed in that way, by the gate.json of a run.
func changedTo(t *testing.T, out string, change report.Change) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "gate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sum report.Gate
	if err := json.Unmarshal(text, &sum); err != nil {
		t.Fatal(err)
	}
	for _, c := range sum.Comparisons {
		for _, row := range c.With(change) {
			names = append(names, row.Name)
		}
	}
	return names
}

// endsWith wants an output to end with lines, and what it says after the last trial to
// fit on a screen.
func endsWith(t *testing.T, stdout, lines string) {
	t.Helper()
	if !regexp.MustCompile(lines + "\n$").MatchString(stdout) {
		t.Errorf("it does not end with %q:\n%s", lines, stdout)
	}
	if said := closing(stdout); strings.Count(said, "\n") > 40 {
		t.Errorf("its summary has %d lines:\n%s", strings.Count(said, "\n"), said)
	}
}

// isDropped says of a scenario, by the parts of its name, whether a kernel without
// "net: tcp: accept old ack during closing" (795a7dfbc3d9) drops a segment in it
// that a good kernel accepts. It drops what acknowledges less than it has been
// told already, unless a mini-socket is left of the connection, which does not
// look at what is acknowledged (net/ipv4/tcp_minisocks.c,
// tcp_timewait_state_process).
func isDropped(name string) bool {
	parts := strings.Split(name, "/")
	switch parts[0] {
	case "overtaken-fin", "overtaken-data", "lost-challenge-ack":
		return leavesFullSocket(parts[1])
	case "long-timers":
		return parts[1] == "second-overtaken-fin" && leavesFullSocket(parts[2])
	case "queued-fin": // in FIN_WAIT1 the socket is a full one, however it was closed
		return true
	}
	return false
}

// leavesFullSocket says whether a closing path leaves all of the socket in
// FIN_WAIT2: shutdown() does, and so does close() where FIN_WAIT2 may last for
// more than 60 s (TCP_TIMEWAIT_LEN; net/ipv4/tcp_input.c,
// tcp_rcv_state_process).
func leavesFullSocket(path string) bool {
	if path == "server-shutdown" || path == "server-shutdown-rdwr" {
		return true
	}
	for _, limit := range []string{"server-close-fin-timeout-", "server-close-linger2-"} {
		if text, found := strings.CutPrefix(path, limit); found {
			seconds, err := strconv.Atoi(text)
			return err == nil && seconds > 60
		}
	}
	return false
}

// expect holds each scenario of a record against what its name says: a FIN that
// is dropped, or what a good kernel does. It returns the names of the former.
func expect(t *testing.T, path string, isDropped func(name string) bool) (dropped []string) {
	t.Helper()
	record, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range record.Scenarios {
		if s.Race {
			continue
		}
		t.Run(record.Kernel.Source+"/"+s.Name, func(t *testing.T) {
			if !isDropped(s.Name) {
				expectGood(t, s)
				return
			}
			dropped = append(dropped, s.Name)
			expectDropped(t, s)
		})
	}
	return dropped
}

// expectGood wants what the scenario says of a good kernel.
func expectGood(t *testing.T, s report.Scenario) {
	if s.Outcome != s.Expected {
		t.Errorf("%s, want %s", s.Outcome, s.Expected)
	}
	for _, trial := range s.Trials {
		for _, wish := range trial.Unmet {
			t.Errorf("it was %s, and did not:\n%s", wish, ladder.Text(trial))
		}
	}
}

// jiffy is a tick of Debian's kernels (CONFIG_HZ=250), by which a timer may
// differ from what was asked of it.
const jiffy = 4 * time.Millisecond

// expectDropped wants the client's segment answered with one challenge ACK, and
// sent again by the timer that the name tells, when the RTO is over. A forged
// client sends nothing again.
func expectDropped(t *testing.T, s report.Scenario) {
	parts := strings.Split(s.Name, "/")
	trial := s.Trials[0]
	if trial.ChallengeACKs[segment.Server] != 1 || trial.ChallengeACKs[segment.Client] != 0 {
		t.Errorf("challenge ACKs %v", trial.ChallengeACKs)
	}
	if skipped := trial.Counters[segment.Server]["TCPACKSkippedChallenge"]; slices.Contains(parts, "second-overtaken-fin") && skipped != 1 {
		t.Errorf("%d challenge ACKs were not sent, having come too soon after another, want 1", skipped)
	}
	if slices.Contains(parts, "client-forged") {
		if s.Outcome != teardown.Stuck {
			t.Errorf("%s, want %s", s.Outcome, teardown.Stuck)
		}
		return
	}
	if s.Outcome != teardown.Retransmitted || len(trial.Retransmissions) != 1 {
		t.Fatalf("%s after %d retransmissions", s.Outcome, len(trial.Retransmissions))
	}
	again := trial.Retransmissions[0]
	if isFIN := parts[0] != "overtaken-data"; again.From != segment.Client || again.FIN != isFIN || again.Timer != timerIn(parts) {
		t.Errorf("sent again was %v, want it by the %s", again, timerIn(parts))
	}
	if least := leastRTOIn(parts); again.RTO < least || again.RTO > least+leeway(parts) {
		t.Errorf("the RTO was %v, want it a little above %v", again.RTO, least)
	}
	if again.Delay < again.RTO-jiffy || again.Delay > again.RTO+60*time.Millisecond {
		t.Errorf("it was sent again after %v, where the RTO was %v", again.Delay, again.RTO)
	}
}

// timerIn is the timer by which a lone segment is sent again: the tail loss
// probe, unless that needs what was turned off (net/ipv4/tcp_output.c,
// tcp_schedule_loss_probe).
func timerIn(parts []string) teardown.Timer {
	if slices.Contains(parts, "sack-off") || slices.Contains(parts, "early-retrans-0") {
		return teardown.RTO
	}
	return teardown.TLP
}

// leastRTOIn is what the RTO cannot be below: 200 ms (TCP_RTO_MIN), or what the
// route says, and a round trip.
func leastRTOIn(parts []string) time.Duration {
	switch parts[len(parts)-1] {
	case "rto-min-50ms":
		return 50 * time.Millisecond
	case "rtt-20ms":
		return 220 * time.Millisecond
	case "rtt-100ms":
		return 300 * time.Millisecond
	}
	return 200 * time.Millisecond
}

// leeway is how far the RTO may be above that. Its variance counts four times.
func leeway(parts []string) time.Duration {
	if parts[len(parts)-1] == "rtt-100ms" {
		return 100 * time.Millisecond
	}
	return 50 * time.Millisecond
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
