//go:build vm

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/teardown"
)

// TestEveryOrder has the case found by who was not told of it: of all the orders
// that a teardown can take, Linux 5.10 needs a retransmission in those in which an
// ACK overtakes a FIN on the way to a full socket, and in no other; 6.12 in none.
func TestEveryOrder(t *testing.T) {
	out := t.TempDir()
	status, stdout, stderr := gate(t, "explore", "--out", out, "debian/bullseye", "debian/trixie")
	expectNoRegression(t, status, out, stdout, stderr)
	old, candidate := mapOf(t, out, "debian-bullseye"), mapOf(t, out, "debian-trixie")
	if len(old.Lines) == 0 || len(old.Lines) != len(candidate.Lines) || !old.Complete() || !candidate.Complete() {
		t.Fatalf("%d orders on the old kernel, %d on the new one", len(old.Lines), len(candidate.Lines))
	}
	for _, l := range candidate.Lines {
		if l.Outcome != teardown.Clean {
			t.Errorf("on the new kernel %v ends as %s:\n%s", l.Pair, l.Outcome, l.Ladder())
		}
	}
	var named []string
	for _, g := range old.Groups() {
		named = append(named, g.Name())
		if g.Shortest.Outcome != teardown.Retransmitted {
			t.Errorf("%s: %s", g.Name(), g.Shortest.Outcome)
		}
	}
	if got, want := strings.Join(named, "; "), "the client's ACK of the FIN overtakes its FIN; the server's ACK of the FIN overtakes its FIN"; got != want {
		t.Errorf("on the old kernel it finds %q, want %q", got, want)
	}
	for _, l := range old.Lines {
		if l.Pair == (explore.Pair{Client: "close", Server: "close"}) && l.Outcome != teardown.Clean {
			t.Errorf("mini-sockets drop nothing, but:\n%s", l.Ladder())
		}
	}
}

func mapOf(t *testing.T, out, kernel string) *explore.Map {
	t.Helper()
	m, err := loadMap(filepath.Join(out, kernel, "behaviour.map"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
