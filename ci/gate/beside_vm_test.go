//go:build vm

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// Three kernels, the first of which is not what it says it is: all three are
// played, and kept, and the first one's error is named.
func TestGuestsSideBySide(t *testing.T) {
	var stdout, stderr bytes.Buffer
	o := options{
		clock: string(vm.Virtual), labelFilter: "in-order && server-close", trials: 2,
		out: t.TempDir(), stdout: &stdout, stderr: &stderr,
	}
	references, err := o.references([]string{"debian/bullseye", "debian/trixie"})
	if err != nil {
		t.Fatal(err)
	}
	images, err := o.resolve(t.Context(), references)
	if err != nil {
		t.Fatal(err)
	}
	wrong := images[0]
	wrong.Source, wrong.Release = "debian/wrong", "0.0-none"
	built, err := programs.Build(t.Context(), programs.Specs)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Remove()

	records, err := o.play(t.Context(), append([]kernel.Image{wrong}, images...), built)
	if err == nil || !strings.Contains(err.Error(), "debian/wrong: what booted is "+images[0].Release+", not 0.0-none") ||
		strings.Contains(err.Error(), "bullseye") || strings.Contains(err.Error(), "trixie") {
		t.Errorf("the error is %v", err)
	}
	if len(records) != 3 {
		t.Fatalf("there are %d records\n%s", len(records), &stdout)
	}
	for i, source := range []string{"debian/wrong", "debian/bullseye", "debian/trixie"} {
		record, err := report.Load(filepath.Join(o.out, strings.ReplaceAll(source, "/", "-"), "record.json"))
		if err != nil {
			t.Error(err)
			continue
		}
		if records[i].Kernel.Source != source || (record.Incomplete != "") != (i == 0) || len(record.Scenarios) != 2 {
			t.Errorf("the record of %s is %s's, with %d scenarios, incomplete %q",
				source, records[i].Kernel.Source, len(record.Scenarios), record.Incomplete)
		}
	}
	if room(vm.MemoryMiB(nil)) > 1 {
		expectMixedLines(t, stdout.String())
	}
}

// expectMixedLines wants whole lines, each with its kernel's name, and a
// second kernel begun before the first was through.
func expectMixedLines(t *testing.T, printed string) {
	var sources []string
	for line := range strings.Lines(printed) {
		source, _, _ := strings.Cut(line, " ")
		source = strings.TrimSuffix(source, ":")
		if !strings.HasPrefix(source, "debian/") || strings.Count(line, "debian/") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("the line %q", line)
		}
		sources = append(sources, source)
	}
	begun, through := -1, 0
	for i, source := range sources {
		if source == "debian/bullseye" && begun < 0 {
			begun = i
		}
		if source == "debian/wrong" {
			through = i
		}
	}
	if begun < 0 || begun > through {
		t.Errorf("one kernel came after the other:\n%s", printed)
	}
}

// An interrupt ends all guests at once, and what they did is kept.
func TestGuestsAreInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	out := t.TempDir()
	var interrupted time.Time
	seen := &trigger{after: 20, do: func() {
		if ctx.Err() == nil {
			interrupted = time.Now()
			interrupt(errors.New("interrupted"))
		}
	}}
	var stderr bytes.Buffer
	status := run(ctx, []string{"run", "--trials", "1000", "--out", out, "--baseline", "debian/bullseye", "debian/trixie"}, seen, &stderr)
	took := time.Since(interrupted)
	if status != exitFailed || took > 2*time.Second {
		t.Errorf("it exits %d, %v after the interrupt, and says %s", status, took, &stderr)
	}
	t.Logf("it took %v", took)
	if left := childrenOf(t, os.Getpid()); len(left) != 0 {
		t.Errorf("%d processes are left", len(left))
	}
	kept := 0
	for _, folder := range []string{"debian-bullseye", "debian-trixie"} {
		if record, err := report.Load(filepath.Join(out, folder, "record.json")); err == nil {
			kept += len(record.Scenarios)
			if !strings.Contains(record.Incomplete, "interrupted") {
				t.Errorf("%s is incomplete for %q", folder, record.Incomplete)
			}
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
}
