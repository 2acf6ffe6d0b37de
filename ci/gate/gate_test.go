package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// gate runs the command.
func gate(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
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
		{[]string{"run", "--no-such-flag"}, "unknown flag"},
		{[]string{"launch"}, `unknown command "launch"`},
		{[]string{"compare", "one.json"}, "accepts 2 arg(s)"},
		{[]string{"compare", "none.json", "none.json"}, "none.json: no such file"},
		{[]string{"kernels", "extra"}, "unknown command"},
	} {
		status, _, stderr := gate(t, c.args...)
		if status != exitFailed || !strings.Contains(stderr, c.want) {
			t.Errorf("gate %s exits %d and says %q, want %d and %q",
				strings.Join(c.args, " "), status, stderr, exitFailed, c.want)
		}
	}
}

// recordFile writes a record with one scenario.
func recordFile(t *testing.T, source string, outcome teardown.Outcome) string {
	t.Helper()
	r := &report.Record{Schema: report.Schema, Kernel: report.Kernel{Source: source}}
	r.Add(report.Entry{Name: "overtaken-fin/x", Expected: teardown.Clean, Trial: &teardown.Trial{Outcome: outcome}})
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
		{bad, good, exitNoRegression, "1 improved (overtaken-fin/x)"},
		{good, bad, exitRegression, "1 regressed (overtaken-fin/x)"},
		{good, open, exitInconclusive, "inconclusive"},
	} {
		status, stdout, stderr := gate(t, "compare", c.baseline, c.candidate)
		if status != c.want || !strings.Contains(stdout, c.says) {
			t.Errorf("it exits %d, want %d, and prints\n%s%s", status, c.want, stdout, stderr)
		}
	}
}

func TestWriteLeavesNothingOfAnEarlierRun(t *testing.T) {
	folder := t.TempDir()
	result := report.Run{Records: []*report.Record{{Schema: report.Schema, Kernel: report.Kernel{Source: "debian/x"}}}}
	result.Records[0].Add(report.Entry{Name: "old/scenario", Trial: &teardown.Trial{Outcome: teardown.Clean}})
	if err := write(folder, result); err != nil {
		t.Fatal(err)
	}
	result.Records[0].Scenarios = nil
	result.Records[0].Add(report.Entry{Name: "new/scenario", Trial: &teardown.Trial{Outcome: teardown.Clean}})
	if err := write(folder, result); err != nil {
		t.Fatal(err)
	}
	var files []string
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
	want := "debian-x/exchanges/new/scenario.txt debian-x/junit.xml debian-x/record.json gate.json gate.md"
	if got := strings.Join(files, " "); got != want {
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

func TestAnUnwritableFolderIsOneError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := write(filepath.Join(file, "out"), report.Run{Records: []*report.Record{{Kernel: report.Kernel{Source: "x"}}}})
	if err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("got %v", err)
	}
}

// The running kernel needs no virtual machine, so the whole command can be
// tried here: records, verdict and files.
func TestRunOnTheHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gate run host needs root")
	}
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--label-filter", "in-order", "--trials", "2", "--out", out, "host")
	if status != exitNoRegression {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	record, err := report.Load(filepath.Join(out, "host", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Scenarios) != 6 || record.Clock != "real" || record.Incomplete != "" {
		t.Errorf("%d scenarios on the clock %q, incomplete %q", len(record.Scenarios), record.Clock, record.Incomplete)
	}
	for _, s := range record.Scenarios {
		if s.Outcome != teardown.Clean || len(s.Trials) != 2 || len(s.Trials[0].Exchange.Client.Sightings) == 0 {
			t.Errorf("%s: %s in %d trials", s.Name, s.Outcome, len(s.Trials))
		}
	}
}

func TestASuiteThatPlaysNothingFails(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gate run host needs root")
	}
	status, stdout, stderr := gate(t, "run", "--label-filter", "no-such-label", "--out", t.TempDir(), "host")
	if status != exitFailed || !strings.Contains(stderr, "the suite exited with status 1") {
		t.Errorf("it exits %d\n%s%s", status, stdout, stderr)
	}
}
