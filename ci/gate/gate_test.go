package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// gate runs the command.
func gate(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestBadArguments(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "no KERNEL given"},
		{[]string{"run", "bullseye"}, `"bullseye" names no kernel: want debian/SUITE`},
		{[]string{"run", "debian/../../etc"}, "names no kernel"},
		{[]string{"run", "--baseline", "nonsense", "debian/trixie"}, `"nonsense" names no kernel`},
		{[]string{"run", "--clock", "sundial", "host"}, `--clock "sundial"`},
		{[]string{"run", "--trials", "0", "host"}, "--trials 0"},
		{[]string{"run", "--baseline", "debian/bullseye", "debian/trixie", "debian/trixie"}, "debian/trixie is named twice"},
		{[]string{"explore", "debian/trixie", "debian/trixie"}, "debian/trixie is named twice: name it once\n"},
		{[]string{"run", "--budget", "0s", "debian/trixie"}, "--budget 0s: want a duration such as 10m"},
		{[]string{"run", "--budget", "-1m", "debian/trixie"}, "--budget -1m0s"},
		{[]string{"run", "--budget", "1m", "--trials", "3", "debian/trixie"}, "--budget and --trials"},
		{[]string{"run", "--budget", "long", "debian/trixie"}, "--budget"},
		{[]string{"run", "--label-filter", "((", "debian/trixie"}, `--label-filter "(("`},
		{[]string{"run", "--label-filter", "((", "debian/trixie"}, "((\nMismatched '(' - could not find matching ')'."},
		{[]string{"run", "--out", "/proc/out", "debian/trixie"}, "--out: mkdir /proc/out"},
		{[]string{"run", "--no-such-flag"}, "unknown flag"},
		{[]string{"launch"}, `unknown command "launch"`},
		{[]string{"compare", "one.json"}, "at least 2 arg(s)"},
		{[]string{"compare", "none.json", "none.json"}, "none.json: no such file"},
		{[]string{"compare", "one.json", "two.map"}, "a map (FILE.map) with a map"},
		{[]string{"compare", "none.map", "none.map"}, "none.map: no such file"},
		{[]string{"explore"}, "no KERNEL given"},
		{[]string{"explore", "bullseye"}, `"bullseye" names no kernel`},
		{[]string{"explore", "--drops", "-1", "host"}, "--drops -1"},
		{[]string{"explore", "--out", "/proc/out", "debian/trixie"}, "--out: mkdir /proc/out"},
		{[]string{"kernels", "extra"}, "unknown command"},
		{[]string{"version", "extra"}, "unknown command"},
		{[]string{"matrix"}, "accepts 1 arg(s)"},
		{[]string{"matrix", "m.yaml", "--shard", "0/1", "--join"}, "none of the others can be"},
		{[]string{"pack", "/proc/packed"}, "write /proc/packed"},
	} {
		status, _, stderr := gate(t, c.args...)
		if status != exitFailed || !strings.Contains(stderr, c.want) {
			t.Errorf("gate %s exits %d and says %q, want %d and %q",
				strings.Join(c.args, " "), status, stderr, exitFailed, c.want)
		}
	}
}

func TestNoQEMUIsFoundBeforeAnythingElse(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	out := filepath.Join(t.TempDir(), "out")
	status, stdout, stderr := gate(t, "run", "--out", out, "debian/trixie")
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "qemu-system-x86") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("it exits %d, prints %q and says %q", status, stdout, stderr)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it made a folder for results that there are not")
	}
}

// What the README shows as the example is the example.
func TestReadmeShowsTheExample(t *testing.T) {
	example, err := os.ReadFile("../../specs/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(example), "var _ = ")
	if !found || !strings.Contains(string(readme), "```go\nvar _ = "+code+"```") {
		t.Errorf("the README does not show\nvar _ = %s", code)
	}
}

// recordFile writes a record with one scenario.
func recordFile(t *testing.T, source string, outcome teardown.Outcome) string {
	t.Helper()
	r := report.New(report.Kernel{Source: source}, "virtual")
	add(t, r, "overtaken-fin/x", outcome)
	path := filepath.Join(t.TempDir(), "record.json")
	if err := replace(path, jsonOf(r)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCompareExitsWithTheVerdict(t *testing.T) {
	good := recordFile(t, "debian/good", teardown.Clean)
	bad := recordFile(t, "debian/bad", teardown.Retransmitted)
	open := recordFile(t, "debian/open", teardown.Inconclusive)
	for _, c := range []struct {
		baseline, candidate string
		want                int
		says                string
	}{
		{good, good, exitNoRegression, "no regression"},
		{bad, good, exitNoRegression, "to debian/good: 1 improved"},
		{good, bad, exitRegression, "to debian/bad: 1 regressed"},
		{good, open, exitInconclusive, "inconclusive"},
	} {
		status, stdout, stderr := gate(t, "compare", c.baseline, c.candidate)
		if status != c.want || !strings.Contains(stdout, c.says) {
			t.Errorf("it exits %d, want %d, and prints\n%s%s", status, c.want, stdout, stderr)
		}
	}
}

func add(t *testing.T, r *report.Record, name string, outcome teardown.Outcome) {
	t.Helper()
	if err := r.Add(report.Entry{Name: name, Expected: teardown.Clean, Trial: &teardown.Trial{Outcome: outcome}}); err != nil {
		t.Fatal(err)
	}
}

// filesBelow are the files below a folder, in the order of their names.
func filesBelow(t *testing.T, folder string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			relative, _ := filepath.Rel(folder, path)
			files = append(files, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWriteLeavesNothingOfAnEarlierRun(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"old/scenario", "new/scenario"} {
		record := report.New(report.Kernel{Source: "debian/x"}, "virtual")
		add(t, record, name, teardown.Clean)
		if err := writeRecord(t.Context(), folder, record); err != nil {
			t.Fatal(err)
		}
		if err := writeRun(t.Context(), folder, report.NewRun([]*report.Record{record}, false)); err != nil {
			t.Fatal(err)
		}
	}
	want := "debian-x/exchanges/new/scenario.svg debian-x/exchanges/new/scenario.txt debian-x/junit.xml debian-x/record.json gate.html gate.json gate.md"
	if got := strings.Join(filesBelow(t, folder), " "); got != want {
		t.Errorf("it wrote %s, want %s", got, want)
	}
	text, err := os.ReadFile(filepath.Join(folder, "gate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sum report.Gate
	if err := json.Unmarshal(text, &sum); err != nil || sum.Schema != report.Schema || sum.Verdict != report.NoRegression {
		t.Errorf("gate.json holds %+v (%v)", sum, err)
	}
}

func TestAFileThatCannotBeWrittenLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "record.json")
	if err := replace(path, jsonOf("good")); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, func(io.Writer) error { return errors.New("no space left") }); err == nil {
		t.Error("a write that failed was not reported")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "\"good\"\n" {
		t.Errorf("the old file is %q (%v)", text, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want one (%v)", len(entries), err)
	}
}

// needRoot skips what plays scenarios on the running kernel.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("gate run host needs root")
	}
}

// An interrupted run keeps what it has, says so everywhere, and leaves no
// process behind.
func TestInterrupt(t *testing.T) {
	needRoot(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	out := t.TempDir()
	seen := &trigger{after: 5, do: func() { interrupt(errors.New("interrupted")) }}
	var stderr bytes.Buffer
	status := run(ctx, []string{"run", "--trials", "1000", "--out", out, "host"}, seen, &stderr)
	if status != exitFailed || !strings.Contains(stderr.String(), "host: interrupted") {
		t.Errorf("it exits %d and says %q", status, &stderr)
	}
	record, err := report.Load(filepath.Join(out, "host", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Scenarios) == 0 || record.Incomplete != "host: interrupted" {
		t.Errorf("%d scenarios were kept, incomplete %q", len(record.Scenarios), record.Incomplete)
	}
	for name, want := range map[string]string{
		"host/junit.xml": `name="the whole run"`,
		"gate.json":      `"incomplete": "host: interrupted"`,
		"gate.md":        "the run is incomplete: host: interrupted",
	} {
		if text, err := os.ReadFile(filepath.Join(out, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q (%v)", name, want, err)
		}
	}
}

// A trigger does something once so many lines have been written to it.
type trigger struct {
	after int
	do    func()
}

func (tr *trigger) Write(p []byte) (int, error) {
	if tr.after -= bytes.Count(p, []byte("\n")); tr.after <= 0 {
		tr.do()
	}
	return len(p), nil
}

// killed makes the test binary a gate to be killed, and gateInstead one with the
// arguments that it is given.
const (
	killed      = "FINWAIT_GATE_KILLED"
	gateInstead = "FINWAIT_GATE_INSTEAD"
)

func TestMain(m *testing.M) {
	if out := os.Getenv(killed); out != "" {
		os.Exit(run(context.Background(), []string{"run", "--trials", "1000", "--out", out, "host"}, os.Stdout, os.Stderr))
	}
	if os.Getenv(gateInstead) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	if server, called := triedServers[os.Getenv(triedServer)]; called {
		server()
	}
	os.Exit(m.Run())
}

func TestNothingSurvivesSIGKILL(t *testing.T) {
	needRoot(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), killed+"="+t.TempDir(), "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for range 3 { // the kernel, and two trials: the suite is at work
		if !lines.Scan() {
			t.Fatalf("the gate ended by itself: %v", lines.Err())
		}
	}
	suites := childrenOf(t, cmd.Process.Pid)
	if len(suites) != 1 {
		t.Fatalf("the gate has %d children, want the suite alone", len(suites))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// A pidfd is readable when its process has ended (pidfd_open(2)).
	ended := []unix.PollFd{{Fd: int32(suites[0]), Events: unix.POLLIN}}
	if n, err := unix.Poll(ended, 10_000); n != 1 {
		t.Errorf("the suite outlived its gate (%v)", err)
	}
}

// childrenOf returns a pidfd for each child of a process.
func childrenOf(t *testing.T, parent int) (pidfds []int) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range processes {
		text, err := os.ReadFile(status)
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(status)))
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		pidfds = append(pidfds, fd)
	}
	return pidfds
}

// The running kernel needs no virtual machine, so the whole command can be
// tried here: records, verdict and files.
func TestRunOnTheHost(t *testing.T) {
	needRoot(t)
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--label-filter", "in-order", "--trials", "2", "--out", out, "host")
	if status != exitNoRegression {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	record, err := report.Load(filepath.Join(out, "host", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Scenarios) == 0 || record.Clock != "real" || record.Incomplete != "" {
		t.Errorf("%d scenarios on the clock %q, incomplete %q", len(record.Scenarios), record.Clock, record.Incomplete)
	}
	for _, s := range record.Scenarios {
		if s.Race {
			continue // it is run more often than that
		}
		if s.Outcome != teardown.Clean || len(s.Trials) != 2 || len(s.Trials[0].Exchange.Client.Sightings) == 0 {
			t.Errorf("%s: %s in %d trials", s.Name, s.Outcome, len(s.Trials))
		}
	}
	holdLinks(t, out)
}

// A kernel is no worse than itself, and its two records lie beside each other.
func TestAKernelIsItsOwnBaseline(t *testing.T) {
	needRoot(t)
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--label-filter", "in-order && ipv4 && server-shutdown", "--baseline", "host", "--out", out, "host")
	if status != exitNoRegression || !strings.Contains(stdout, "no regression from baseline host (") || !strings.Contains(stdout, " to candidate host (") {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	for _, role := range []report.Role{report.Baseline, report.Candidate} {
		record, err := report.Load(filepath.Join(out, "host-"+string(role), "record.json"))
		if err != nil || record.Kernel.Role != role || len(record.Scenarios) == 0 {
			t.Errorf("the record of the %s: %+v (%v)", role, record, err)
		}
	}
	holdLinks(t, out)
}

// holdLinks wants every file that the report leads to.
func holdLinks(t *testing.T, out string) {
	t.Helper()
	links := regexp.MustCompile(`href="([^"#:]+)"`).FindAllStringSubmatch(contentOf(t, filepath.Join(out, pageFile)), -1)
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(out, filepath.FromSlash(link[1]))); err != nil {
			t.Errorf("the report leads to nothing: %v", err)
		}
	}
	if len(links) < 3 {
		t.Errorf("the report leads to %d files", len(links))
	}
}

func TestASuiteThatPlaysNothingFails(t *testing.T) {
	needRoot(t)
	for label, want := range map[string]string{
		"no-such-label": `nothing matches --label-filter "no-such-label"`,
		"one-verdict":   "leaves only specs of which no record is kept, and none of them failed",
	} {
		status, stdout, stderr := gate(t, "run", "--label-filter", label, "--out", t.TempDir(), "host")
		if status != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: it exits %d\n%s%s", label, status, stdout, stderr)
		}
	}
}

// What an earlier run has left is kept, and not taken for this one's.
func TestAnEarlierRunsPageIsCalledThat(t *testing.T) {
	o := options{out: t.TempDir()}
	failure := errors.New("it did not boot")
	if err := o.besideEarlier(failure); !errors.Is(err, failure) || err.Error() != failure.Error() {
		t.Errorf("without a page, it says %v", err)
	}
	page := filepath.Join(o.out, pageFile)
	if err := replace(page, content("of an earlier run")); err != nil {
		t.Fatal(err)
	}
	if err := o.besideEarlier(failure); !errors.Is(err, failure) || !strings.HasSuffix(err.Error(), page+" is still that of an earlier run") {
		t.Errorf("with one, it says %v", err)
	}
}
