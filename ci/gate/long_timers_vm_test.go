//go:build vm

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
)

// TestLongTimers waits out every timer on kernels of other series than TestTheCase's:
// each is to do what the specs say, to the jiffy.
func TestLongTimers(t *testing.T) {
	out := t.TempDir()
	kernels := []string{"debian/bookworm", "debian/sid"}
	args := append([]string{"run", "--label-filter", "long-timers", "--out", out}, kernels...)
	status, stdout, stderr := gate(t, args...)
	expectNoRegression(t, status, out, stdout, stderr)
	for _, kernel := range kernels {
		record, err := report.Load(filepath.Join(out, strings.ReplaceAll(kernel, "/", "-"), "record.json"))
		if err != nil {
			t.Fatal(err)
		}
		played := 0
		for _, s := range record.Scenarios {
			played += len(s.Trials)
			if s.Skipped == "" {
				t.Run(kernel+"/"+s.Name, func(t *testing.T) { expectGood(t, s) })
			}
		}
		if played == 0 {
			t.Errorf("nothing was played on %s", kernel)
		}
	}
}
