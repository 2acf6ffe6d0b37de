package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/vm"
)

// git bisect takes every status below 128 for a commit's own.
func TestAStepThatCannotBeTakenDoesNotPassForABadCommit(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"step"}, "accepts 2 arg(s)"},
		{[]string{"step", "one", "two", "three"}, "accepts 2 arg(s)"},
		{[]string{"step", "--no-such-flag"}, "unknown flag"},
		{[]string{"step", "x", "bullseye"}, `"bullseye" names no kernel`},
		{[]string{"step", "x", "debian/trixie"}, `there is no scenario "x"`},
		{[]string{"step", "overtaken-fin", "debian/trixie"}, `there is no scenario "overtaken-fin"`},
		{[]string{"step", "--trials", "0", "x", "debian/trixie"}, "--trials 0"},
		{[]string{"step", "--want", "pretty", "x", "debian/trixie"}, `--want "pretty": a scenario ends in one of`},
		{[]string{"step", "--want", "inconclusive", "x", "debian/trixie"}, `--want "inconclusive"`},
		{[]string{"step", "behaviour/rto-min", "debian/trixie"}, "say which is good, of \"obeyed\""},
		{[]string{"step", "--want", "clean", "behaviour/rto-min", "debian/trixie"}, `--want "clean"`},
		{[]string{"step", "--want", "obeyed", "behaviour/colour", "debian/trixie"}, `there is no question "colour"`},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			g := NewWithT(t)
			status, _, stderr := gate(t, c.args...)
			g.Expect(stderr).To(ContainSubstring(c.want))
			g.Expect(status).To(Equal(128))
		})
	}
	t.Run("no QEMU", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		status, _, stderr := gate(t, "step", "x", "debian/trixie")
		NewWithT(t).Expect(status).To(Equal(128), stderr)
	})
}

func TestBisectRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"bisect", "x"}, `required flag(s) "bad", "good" not set`},
		{[]string{"bisect", "--good", "host", "--bad", "debian/trixie", "x"}, "host is not in a row with others: want debian/SUITE or debian/VERSION"},
		{[]string{"bisect", "--good", "debian/trixie", "--bad", "debian/trixie", "x"}, "both --good and --bad are debian/trixie: there is nothing between them\n"},
		{[]string{"bisect", "--good", "debian/trixie", "--bad", "debian/bullseye", "x"}, `there is no scenario "x"`},
		{[]string{"bisect", "--good", "debian/trixie", "--bad", "debian/bullseye"}, "accepts 1 arg(s)"},
	} {
		g := NewWithT(t)
		status, _, stderr := gate(t, append(c.args, "--out", t.TempDir())...)
		g.Expect(stderr).To(ContainSubstring(c.want))
		g.Expect(status).To(Equal(exitFailed))
	}
}

func TestStepExitsAsGitBisectWantsIt(t *testing.T) {
	t.Parallel()
	var (
		clean   = showing{outcome: "clean", expected: "clean"}
		again   = showing{outcome: "retransmitted", expected: "clean"}
		nothing = showing{why: "it does not boot"}
	)
	for name, c := range map[string]struct {
		want   string
		shown  showing
		status int
		says   string
	}{
		"as it should":                {"", clean, 0, "x: build:. is good: clean\n"},
		"not as it should":            {"", again, 1, "x: build:. is bad: retransmitted, where clean is wanted\n"},
		"as wanted":                   {"retransmitted", again, 0, "x: build:. is good: retransmitted\n"},
		"not as wanted":               {"retransmitted", clean, 1, "x: build:. is bad: clean, where retransmitted is wanted\n"},
		"nothing is shown":            {"", nothing, 125, "x: build:. is not to be told: it does not boot\n"},
		"nothing is shown, as wanted": {"clean", nothing, 125, "x: build:. is not to be told: it does not boot\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			var out bytes.Buffer
			s := stepper{options: options{stdout: &out}, want: c.want}
			err := s.judge("build:.", "x", c.shown)
			g.Expect(out.String()).To(Equal(c.says))
			if c.status == 0 {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(Equal(exitStatus(c.status)))
			}
		})
	}
}

// entriesOf are the record of a run on some kernel.
func entriesOf(t *testing.T, incomplete string, entries ...report.Entry) *report.Record {
	t.Helper()
	r := report.New(report.Kernel{Source: "build:."}, "virtual")
	r.Incomplete = incomplete
	for _, e := range entries {
		e.Name = "x"
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestWhatIsReadOutOfARun(t *testing.T) {
	t.Parallel()
	clean := report.Entry{Expected: teardown.Clean, Trial: &teardown.Trial{Outcome: teardown.Clean}}
	again := report.Entry{Expected: teardown.Clean, Trial: &teardown.Trial{Outcome: teardown.Retransmitted}}
	race := report.Entry{Expected: teardown.Clean, Race: true, Trial: clean.Trial}
	skipped := report.Entry{Expected: teardown.Clean, Skipped: "it lacks netem"}
	broken := report.Entry{Expected: teardown.Clean, Error: "no veth"}
	for name, c := range map[string]struct {
		record       *report.Record
		outcome, why string
		err          string
	}{
		"all the same":                {entriesOf(t, "", clean, clean), "clean", "", ""},
		"one in three":                {entriesOf(t, "", clean, again, clean), "retransmitted", "", ""},
		"the kernel lacks something":  {entriesOf(t, "", skipped), "", "it lacks netem", ""},
		"it died after a good trial":  {entriesOf(t, "the kernel panicked", clean), "", "the kernel panicked", ""},
		"the harness failed":          {entriesOf(t, "the suite exited with status 1", broken), "", "no veth", ""},
		"it died before any trial":    {entriesOf(t, "the kernel panicked"), "", "the kernel panicked", ""},
		"it was not played":           {entriesOf(t, ""), "", "", "played nothing called x"},
		"it is a matter of the clock": {entriesOf(t, "", race), "", "", "x is a race"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			s := showing{record: c.record}
			err := s.read("x")
			if c.err != "" {
				g.Expect(err).To(MatchError(ContainSubstring(c.err)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]string{s.outcome, s.why}).To(Equal([]string{c.outcome, c.why}))
		})
	}
}

func TestWhoIsToBlame(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&vm.Error{Reason: vm.Panicked}:                                 true,
		fmt.Errorf("x: %w", &vm.Error{Reason: vm.NeverBooted}):         true,
		&vm.Error{Reason: vm.NotAKernel}:                               true,
		&vm.Error{Reason: vm.NoQEMU}:                                   false,
		&vm.Error{Reason: vm.Refused}:                                  false,
		&vm.Error{Reason: vm.Stopped}:                                  false,
		&kernel.MissingModuleError{Module: "sch_netem"}:                true,
		&kernel.LackError{Lacks: []string{"CONFIG_VETH"}}:              true,
		&kernel.MissingCapability{Name: "IPv6", Err: errors.New("no")}: true,
		errors.New("no space left on device"):                          false,
	} {
		if got := isToBlame(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

// With a file that is no kernel nothing is shown, and it is the kernel that does not show
// it.
func TestAKernelThatCannotBeBootedShowsNothing(t *testing.T) {
	t.Parallel()
	if err := vm.Available(kernel.Native()); err != nil {
		t.Skip(err)
	}
	g := NewWithT(t)
	image := kernel.Image{Source: "image:bzImage", Release: "1.2.3", Vmlinuz: filepath.Join(t.TempDir(), "bzImage")}
	g.Expect(os.WriteFile(image.Vmlinuz, []byte("no kernel"), 0o600)).To(Succeed())
	o := options{clock: string(vm.Virtual), trials: 1}
	out := newScreen(io.Discard)
	defer out.close()
	shown, err := o.show(t.Context(), image, &programs.Set{}, "x", out)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(shown.outcome).To(BeEmpty())
	g.Expect(shown.why).To(ContainSubstring("it is not a kernel that can be booted"))
}
