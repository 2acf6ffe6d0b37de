package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/kernel"
)

// header is a map's, without its orders.
const header = `finwait behaviour map 1
kernel 6.0 %s
bounds 0 drops, 0 duplicates
explored close() | close() | %c
`

// mapFile writes a map with one order in it.
func mapFile(t *testing.T, source, covered, order string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), source+".map")
	text := strings.NewReplacer("%s", source, "%c", covered).Replace(header) + order + "\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	quick = "close() | close() | call client, call server | clean | TIME_WAIT | CLOSE | F. 1:1(0) ack 1 | -"
	slow  = "close() | close() | call client, call server | retransmitted | FIN_WAIT1 | CLOSE | F. 1:1(0) ack 1 | -"
	apart = "close() | close() | call client, call server | nondeterministic | one | another"
)

func TestCompareMapsExitsWithTheVerdict(t *testing.T) {
	good, bad := mapFile(t, "good", "100.00%", quick), mapFile(t, "bad", "100.00%", slow)
	half, moody := mapFile(t, "half", "50.00%", quick), mapFile(t, "moody", "100.00%", apart)
	broken := mapFile(t, "broken", "100.00%", "close() | close()")
	for _, c := range []struct {
		baseline, candidate string
		want                int
		says                string
	}{
		{good, good, exitNoRegression, "0 orders changed, 0 appeared, 0 vanished"},
		{bad, good, exitNoRegression, "bad: retransmitted; the client in FIN_WAIT1, the server in CLOSE\ngood: clean;"},
		{good, bad, exitRegression, "1 orders changed"},
		{good, half, exitInconclusive, "only 50.00% of it explored on half"},
		{good, moody, exitInconclusive, "nondeterministic on moody"},
		{good, broken, exitFailed, "broken.map:5: it has 2 columns"},
	} {
		status, stdout, stderr := gate(t, "compare", c.baseline, c.candidate)
		if status != c.want || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("it exits %d, want %d, and prints\n%s%s", status, c.want, stdout, stderr)
		}
	}
}

func TestMapsOfTwoArchitecturesAreRefused(t *testing.T) {
	mine := mapFile(t, "mine", "100.00%", quick)
	text, err := os.ReadFile(mine)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.map")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), "bounds", "architecture arm64\nbounds", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := gate(t, "compare", mine, other)
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "mine (6.0) for arm64: only maps of kernels for one architecture") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("it exits %d, prints %q and says %q", status, stdout, stderr)
	}
}

func TestWorstVerdict(t *testing.T) {
	failed := errors.New("the maps have different bounds")
	for _, c := range []struct {
		verdicts []error
		want     error
	}{
		{[]error{nil, nil}, nil},
		{[]error{nil, exitStatus(exitInconclusive), nil}, exitStatus(exitInconclusive)},
		{[]error{exitStatus(exitInconclusive), exitStatus(exitRegression), exitStatus(exitInconclusive)}, exitStatus(exitRegression)},
		{[]error{exitStatus(exitRegression), failed}, failed},
	} {
		if got := worst(c.verdicts); !errors.Is(got, c.want) {
			t.Errorf("of %v the worst is %v", c.verdicts, got)
		}
	}
}

func TestSummaryShowsTheShortestOrder(t *testing.T) {
	m, err := loadMap(mapFile(t, "bad", "100.00%", slow))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	summarise(&out, m)
	for _, want := range []string{
		"bad (6.0), with up to 0 drops and 0 duplicates:",
		"client close(), server close(): 1 orders (100.00% explored), 1 retransmitted",
		"retransmitted " + explore.Inorder + ": 1 orders, in 1 of 1 pairs",
		"retransmitted; the client in FIN_WAIT1, the server in CLOSE",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

// A suite that is a script shows what the gate makes of entries, and of a suite that
// fails in the middle of them.
func TestExploreKeepsWhatASuiteHasFound(t *testing.T) {
	script := filepath.Join(t.TempDir(), "suite")
	const pair = `"pair":{"Client":"close()","Server":"close()"}`
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+
		`echo '{`+pair+`,"line":"`+slow+`","covered":0.25}' >&3`+"\n"+
		`echo '{`+pair+`,"covered":0.5,"sum":{"executions":3,"cut_short":1,"saved":2,"took_ns":1000000,"error":"no more labs"}}' >&3`+"\n"+
		`echo "$@"; exit 1`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	e := explorer{options: options{out: t.TempDir()}, bounds: explore.Bounds{All: true}}
	var out strings.Builder
	found, err := e.exploreOn(t.Context(), kernel.Image{Source: hostSource, Release: "6.0", Arch: kernel.ARM64}, &programs.Set{Suite: script}, newScreen(&out), "> ")
	if err == nil || !strings.Contains(err.Error(), "--explore --drops=0 --duplicates=0 --data=0 --all=true --record=/dev/fd/3") {
		t.Errorf("it says %v", err)
	}
	if want := "> client close(), server close(): 3 executions (1 cut short, 2 saved) in 1ms; ended early: no more labs\n"; out.String() != want {
		t.Errorf("it prints %q", out.String())
	}
	kept, bad := loadMap(filepath.Join(e.out, "host", "behaviour.map"))
	if bad != nil || found == nil || len(kept.Lines) != 1 || kept.Lines[0].String() != slow || kept.Explored[0].Covered != 5000 || kept.Arch != "arm64" {
		t.Errorf("it keeps %+v (%v)", kept, bad)
	}
}
