package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
)

// A kernel passes the scripts of what it did itself. This one plays scenarios, and
// packetdrill plays them again.
func TestScriptsPassOnTheKernelTheyAreOf(t *testing.T) {
	needRoot(t)
	packetdrill, err := exec.LookPath("packetdrill")
	if err != nil {
		t.Skip("there is no packetdrill in PATH (github.com/google/packetdrill)")
	}
	out := t.TempDir()
	const filter = "abort || crossing-fins || duplicated-fin || injected-reset || lost-ack-of-fin || overtaken-data"
	if status, stdout, stderr := gate(t, "run", "--label-filter", filter, "--out", out, "host"); status != exitNoRegression {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	path := filepath.Join(out, "host", "record.json")
	record, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, s := range record.Scenarios {
		if s.Race || len(s.Trials) == 0 {
			continue
		}
		status, script, stderr := gate(t, "export", "--format", "packetdrill", path, s.Name)
		if status != exitNoRegression {
			t.Errorf("%s: %s", s.Name, stderr)
			continue
		}
		file := filepath.Join(out, strings.ReplaceAll(s.Name, "/", "_")+".pkt")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command("unshare", "-n", packetdrill, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", s.Name, err, said, script)
		}
		played++
	}
	if played == 0 {
		t.Error("there was no scenario to play")
	}
	t.Logf("%d scripts", played)
}
