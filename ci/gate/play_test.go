package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

func TestHowManyKernelsRunSideBySide(t *testing.T) {
	guest, host := kernel.Image{Source: "debian/x"}, kernel.Image{Source: hostSource}
	for _, c := range []struct {
		clock  vm.Clock
		images []kernel.Image
		room   int
		want   int
	}{
		{vm.Virtual, []kernel.Image{guest}, 8, 1},
		{vm.Virtual, []kernel.Image{guest, guest, guest}, 8, 3},
		{vm.Virtual, []kernel.Image{guest, guest, guest}, 2, 2},
		{vm.Virtual, []kernel.Image{host, guest}, 8, 1},
		{vm.Virtual, []kernel.Image{host, guest, guest}, 8, 2},
		{vm.Real, []kernel.Image{guest, guest}, 8, 1},
		{vm.Virtual, []kernel.Image{host}, 1, 1},
	} {
		if got := (options{clock: string(c.clock)}).sideBySide(c.images, c.room); got != c.want {
			t.Errorf("%+v: %d, want %d", c, got, c.want)
		}
	}
}

// Guests for which the machine has no memory do not run side by side, and one does.
func TestRoomByMemory(t *testing.T) {
	if got := room(1 << 30); got != 1 {
		t.Errorf("there is room for %d guests of a petabyte", got)
	}
	if got, most := room(0), runtime.GOMAXPROCS(0); got > most {
		t.Errorf("there is room for %d guests on %d cores", got, most)
	}
}

func TestAvailableMemory(t *testing.T) {
	for meminfo, want := range map[string]int{
		"MemTotal:       24684036 kB\nMemFree:  1 kB\nMemAvailable:   24296312 kB\nBuffers: 9 kB\n": 23726,
		"MemTotal:       24684036 kB\n":         -1,
		"MemAvailable:   plenty\n":              -1,
		"":                                      -1,
		"MemTotal: 1 kB\nMemAvailable: 2048 kB": 2,
	} {
		got, ok := availableMiB(meminfo)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", meminfo, got, want)
		}
	}
}

// A kernel that cannot be booted costs the run its verdict, and the others
// nothing.
func TestABadKernelDoesNotStopTheOthers(t *testing.T) {
	needRoot(t)
	host, err := hostKernel()
	if err != nil {
		t.Fatal(err)
	}
	bad := kernel.Image{Source: "debian/bad", Release: "1.2.3", Vmlinuz: filepath.Join(t.TempDir(), "vmlinuz")}
	if err := os.WriteFile(bad.Vmlinuz, []byte("no kernel"), 0o600); err != nil {
		t.Fatal(err)
	}
	built, err := programs.Build(t.Context(), programs.Specs)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Remove()
	o := options{clock: string(vm.Virtual), labelFilter: "example", trials: 1, out: t.TempDir(), stdout: io.Discard}
	records, err := o.play(t.Context(), []kernel.Image{bad, host}, built)
	if err == nil || !strings.Contains(err.Error(), "debian/bad") || strings.Contains(err.Error(), "host:") {
		t.Errorf("the error is %v", err)
	}
	if len(records) != 2 || records[0].Incomplete == "" || len(records[1].Scenarios) != 1 {
		t.Fatalf("the records are %+v", records)
	}
	if result := report.NewRun(records, true); result.Verdict() != report.Undecided {
		t.Errorf("the verdict is %s", result.Verdict())
	}
}
