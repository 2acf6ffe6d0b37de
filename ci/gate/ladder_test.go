package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

func TestLadder(t *testing.T) {
	good := recordFile(t, "debian/good", teardown.Clean)
	bad := recordFile(t, "debian/bad", teardown.Retransmitted)
	skipped := report.New(report.Kernel{Source: "debian/x"}, "virtual")
	if err := skipped.Add(report.Entry{Name: "try/client-gone", Expected: teardown.Clean, Skipped: "it takes minutes"}); err != nil {
		t.Fatal(err)
	}
	untried := filepath.Join(t.TempDir(), recordFileName)
	if err := replace(untried, jsonOf(skipped)); err != nil {
		t.Fatal(err)
	}
	svg := filepath.Join(t.TempDir(), "drawings", "ladder.svg")
	for _, c := range []struct {
		args   []string
		status int
		says   string
		draws  string
	}{
		{[]string{"overtaken-fin/x", bad}, 0, "retransmitted;", ""},
		{[]string{"overtaken-fin/x", bad, good}, 0, "debian/good: clean;", ""},
		{[]string{"overtaken-fin/x", bad, "--svg", svg}, 0, "", ">debian/bad</text>"},
		{[]string{"overtaken-fin/x", bad, good, "--svg", svg}, 0, "", `viewBox="0 0 820 `},
		{[]string{"overtaken-fin/x", bad, good, "--svg", svg, "--stacked"}, 0, "", `viewBox="0 0 400 `},
		{[]string{"no-such/scenario", bad}, exitFailed, "has no scenario no-such/scenario", ""},
		{[]string{"overtaken-fin", bad}, exitFailed, "has no scenario overtaken-fin: it has overtaken-fin/x\n", ""},
		{[]string{"try/client-gone", untried}, exitFailed, "try/client-gone was not tried: it takes minutes\n", ""},
		{[]string{"overtaken-fin/x", filepath.Dir(bad)}, exitFailed, "is a folder: name a record in it, " + bad, ""},
		{[]string{"overtaken-fin/x", filepath.Dir(svg)}, exitFailed, "drawings is a folder, and there is no record.json below it", ""},
		{[]string{"overtaken-fin/x", "no-such-file"}, exitFailed, "no-such-file", ""},
		{[]string{"overtaken-fin/x", bad, "--stacked"}, exitFailed, "--svg", ""},
	} {
		status, stdout, stderr := gate(t, append([]string{"ladder"}, c.args...)...)
		if status != c.status || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%v: it exits %d, want %d, and prints\n%s%s", c.args, status, c.status, stdout, stderr)
		}
		if c.draws == "" {
			continue
		}
		if drawn, err := os.ReadFile(svg); err != nil || !strings.Contains(string(drawn), c.draws) {
			t.Errorf("%v: it does not draw %s: %v\n%s", c.args, c.draws, err, drawn)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "ladder.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if page := pageOf(file); page.Colour || page.Width != 0 {
		t.Errorf("a file is taken for %+v", page)
	}
	if page := pageOf(&bytes.Buffer{}); page.Colour || page.Width != 0 {
		t.Errorf("a buffer is taken for %+v", page)
	}
}

func TestColoursOnATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no terminal to be had here: %v", err)
	}
	defer terminal.Close()
	for _, c := range []struct {
		noColour, term string
		want           bool
	}{
		{"", "xterm", true},
		{"1", "xterm", false},
		{"", "dumb", false},
	} {
		t.Setenv("NO_COLOR", c.noColour)
		t.Setenv("TERM", c.term)
		if page := pageOf(terminal); page.Colour != c.want {
			t.Errorf("NO_COLOR=%s TERM=%s: colours: %v", c.noColour, c.term, page.Colour)
		}
	}
}
