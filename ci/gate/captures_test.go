package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// A trial that went like an earlier one has kept no exchange, and gets no file.
func TestACaptureForEachExchange(t *testing.T) {
	folder := t.TempDir()
	kept := teardown.Trial{Exchange: &teardown.Exchange{}}
	if err := writeCaptures(t.Context(), folder, report.Kernel{}, report.Scenario{
		Name: "some/scenario", Trials: []teardown.Trial{kept, {}, kept},
	}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "some", "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(folder, "some", "scenario.pcapng"), filepath.Join(folder, "some", "scenario.trial-3.pcapng")}
	if !slices.Equal(files, want) {
		t.Errorf("it wrote %q, want %q", files, want)
	}
}
