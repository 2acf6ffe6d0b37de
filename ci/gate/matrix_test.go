package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// matrixFile writes a matrix.
func matrixFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "matrix.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAMatrixIsReadWhole(t *testing.T) {
	t.Parallel()
	want := matrix{
		Baseline: "debian/bullseye", Kernels: []string{"debian/bookworm", "host"},
		LabelFilter: "wire && !orphan", Clock: "real", Trials: 3,
	}
	for name, text := range map[string]string{
		"YAML": "baseline: debian/bullseye\nkernels:\n- debian/bookworm\n- host\nlabel-filter: wire && !orphan\nclock: real\ntrials: 3\n",
		"JSON": `{"baseline": "debian/bullseye", "kernels": ["debian/bookworm", "host"], "label-filter": "wire && !orphan", "clock": "real", "trials": 3}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			g.Expect(parseMatrix([]byte(text))).To(Equal(want))
		})
	}
	g := NewWithT(t)
	g.Expect(parseMatrix([]byte("kernels: [host]"))).To(Equal(matrix{Kernels: []string{"host"}, Clock: "virtual", Trials: 1}))
}

func TestABadMatrixIsOneClearError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":     {"kernels: [host]\nlabel_filter: wire\n", `line 2: field label_filter not found: want the keys baseline, kernels, label-filter, clock and trials`},
		"no YAML":            {"kernels: [host\n", "line 1: "},
		"a list":             {"- host\n", "line 1: "},
		"a key twice":        {"kernels: [host]\nkernels: [debian/sid]\n", "line 2: "},
		"a word for trials":  {"kernels: [host]\ntrials: many\n", "line 2: "},
		"two documents":      {"kernels: [host]\n---\nkernels: [debian/sid]\n", "second document"},
		"nothing":            {"", "it names no kernel"},
		"no kernel":          {"baseline: host\n", "it names no kernel"},
		"no such kernel":     {"kernels: [bullseye]\n", `"bullseye" names no kernel`},
		"a kernel twice":     {"baseline: host\nkernels: [host]\n", "host is named twice"},
		"no such clock":      {"kernels: [host]\nclock: sundial\n", `--clock "sundial"`},
		"no trial":           {"kernels: [host]\ntrials: 0\n", "--trials 0"},
		"no label filter":    {"kernels: [host]\nlabel-filter: '(('\n", `--label-filter "(("`},
		"kernels of a sort":  {"kernels: {host: 1}\n", "line 1: "},
		"an alias of nobody": {"kernels: *all\n", "unknown anchor 'all'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			path := matrixFile(t, c.text)
			status, stdout, stderr := gate(t, "matrix", path, "--join", "--out", t.TempDir())
			g.Expect(status).To(Equal(exitFailed))
			g.Expect(stdout).To(BeEmpty())
			g.Expect(stderr).To(ContainSubstring("read the matrix " + path + ": "))
			g.Expect(stderr).To(ContainSubstring(c.want))
			if name != "no label filter" { // Ginkgo draws the place
				g.Expect(strings.Count(stderr, "\n")).To(Equal(1), stderr)
			}
		})
	}
	status, _, stderr := gate(t, "matrix", "none.yaml")
	NewWithT(t).Expect(stderr).To(ContainSubstring("none.yaml: no such file"), "exit %d", status)
}

// Every kernel is played by one part, whatever their number, and no part by chance has
// much more to do than another.
func TestPartsOfAMatrixHaveEachKernelOnce(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m := matrix{Baseline: "host", Kernels: []string{"debian/a", "debian/b", "debian/c", "debian/d"}}
	g.Expect(m.part("0/2")).To(Equal([]string{"host", "debian/b", "debian/d"}))
	g.Expect(m.part("1/2")).To(Equal([]string{"debian/a", "debian/c"}))
	g.Expect(m.part("4/5")).To(Equal([]string{"debian/d"}))
	for _, shard := range []string{"2/2", "-1/2", "1", "1/", "/2", "0/0", "a/b", "1/2/3", "1 /2"} {
		_, err := m.part(shard)
		g.Expect(err).To(MatchError(ContainSubstring("want I/N, with I from 0 to N-1")), shard)
	}
	for _, c := range m.cells() {
		g.Expect(m.part(c.Shard)).To(Equal([]string{c.Kernel}))
	}
	g.Expect(m.cells()).To(HaveLen(5))
	_, err := m.part("5/6")
	g.Expect(err).To(MatchError(ContainSubstring("the matrix has 5 kernels")))
}

// leave writes the record that a part of a matrix would leave.
func leave(t *testing.T, folder, source, clock string, outcome teardown.Outcome) {
	t.Helper()
	r := report.New(report.Kernel{Source: source}, clock)
	add(t, r, "overtaken-fin/x", outcome)
	if err := writeRecord(t.Context(), folder, r); err != nil {
		t.Fatal(err)
	}
}

func TestPartsOfAMatrixAreJoined(t *testing.T) {
	t.Parallel()
	const compared = "baseline: debian/old\nkernels: [debian/new, debian/newer]\n"
	const alone = "kernels: [debian/new, debian/newer]\n"
	type left map[string]teardown.Outcome
	for name, c := range map[string]struct {
		matrix string
		left   left
		want   int
		says   []string
	}{
		"all good":          {compared, left{"old": teardown.Retransmitted, "new": teardown.Clean, "newer": teardown.Clean}, exitNoRegression, []string{"no regression"}},
		"one regressed":     {compared, left{"old": teardown.Clean, "new": teardown.Clean, "newer": teardown.Stuck}, exitRegression, []string{"to debian/newer: 1 regressed"}},
		"one not known":     {compared, left{"old": teardown.Clean, "new": teardown.Inconclusive, "newer": teardown.Clean}, exitInconclusive, []string{"inconclusive"}},
		"one is lost":       {compared, left{"old": teardown.Clean, "new": teardown.Clean}, exitFailed, []string{"no record of debian/newer: ", "no regression from debian/old to debian/new", "debian/newer: the run is incomplete: its part of the matrix was not played"}},
		"two are lost":      {compared, left{"old": teardown.Clean}, exitFailed, []string{"no record of debian/new, debian/newer: "}},
		"the baseline is":   {compared, left{"new": teardown.Clean, "newer": teardown.Clean}, exitFailed, []string{"no record of debian/old: "}},
		"lost, another bad": {compared, left{"old": teardown.Clean, "new": teardown.Reset}, exitFailed, []string{"no record of debian/newer: ", "to debian/new: 1 regressed"}},
		"nothing":           {compared, nil, exitFailed, []string{"no record of debian/old, debian/new, debian/newer: "}},
		"no baseline":       {alone, left{"new": teardown.Clean, "newer": teardown.Reset}, exitNoRegression, nil},
		"none, one lost":    {alone, left{"newer": teardown.Reset}, exitFailed, []string{"no record of debian/new: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			out := t.TempDir()
			for kernel, outcome := range c.left {
				leave(t, out, "debian/"+kernel, "virtual", outcome)
			}
			status, stdout, stderr := gate(t, "matrix", matrixFile(t, c.matrix), "--join", "--out", out)
			g.Expect(status).To(Equal(c.want), stdout+stderr)
			for _, says := range c.says {
				g.Expect(stdout + stderr).To(ContainSubstring(says))
			}
			if summary, err := os.ReadFile(filepath.Join(out, "gate.md")); err == nil && c.want != exitNoRegression {
				g.Expect(string(summary)).NotTo(ContainSubstring("connections: no regression"))
			}
		})
	}
}

// What a matrix is joined from is what it asks for.
func TestARecordOfSomethingElseIsNotJoined(t *testing.T) {
	t.Parallel()
	path := matrixFile(t, "kernels: [debian/new, host]\n")
	for name, c := range map[string]struct {
		spoil func(out string)
		want  string
	}{
		"another clock": {func(out string) { leave(t, out, "debian/new", "real", teardown.Clean) }, "played on the real clock"},
		"another kernel": {func(out string) {
			leave(t, out, "debian/other", "virtual", teardown.Clean)
			_ = os.Rename(recordOf(out, "debian/other"), recordOf(out, "debian/new"))
		}, "it is of debian/other, not of debian/new"},
		"no record": {func(out string) { _ = os.WriteFile(recordOf(out, "host"), nil, 0o600) }, "it is not the JSON of a record.json"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			out := t.TempDir()
			leave(t, out, "debian/new", "virtual", teardown.Clean)
			leave(t, out, "host", "real", teardown.Clean)
			status, _, stderr := gate(t, "matrix", path, "--join", "--out", out)
			g.Expect(status).To(Equal(exitNoRegression), stderr)
			c.spoil(out)
			status, _, stderr = gate(t, "matrix", path, "--join", "--out", out)
			g.Expect(status).To(Equal(exitFailed))
			g.Expect(stderr).To(ContainSubstring(c.want))
		})
	}
}

// A part plays its kernels and no other, says nothing of regressions, and leaves no
// record of an earlier run where it does not come to write one.
func TestAPartOfAMatrixIsPlayed(t *testing.T) {
	needRoot(t)
	g := NewWithT(t)
	out := t.TempDir()
	path := matrixFile(t, "baseline: debian/bullseye\nkernels: [host]\nlabel-filter: in-order && ipv4\ntrials: 2\n")
	status, stdout, stderr := gate(t, "matrix", path, "--shard", "1/2", "--out", out)
	g.Expect(status).To(Equal(exitNoRegression), stdout+stderr)
	record, err := report.Load(recordOf(out, "host"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Scenarios).NotTo(BeEmpty())
	g.Expect(record.Scenarios[0].Trials).To(HaveLen(2))
	entries, err := os.ReadDir(out)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries).To(HaveLen(1), "the part has written more than its records")

	path = matrixFile(t, "kernels: [host]\nlabel-filter: no-such-label\n")
	status, _, stderr = gate(t, "matrix", path, "--shard", "0/1", "--out", out)
	g.Expect(status).To(Equal(exitFailed), stderr)
	g.Expect(recordOf(out, "host")).NotTo(BeAnExistingFile())
}

// What keeps a part from being begun leaves no record of an earlier run in its place.
func TestAPartThatCannotBeginLeavesNoRecord(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	out := t.TempDir()
	old := recordOf(out, "debian/trixie")
	g.Expect(os.MkdirAll(filepath.Dir(old), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(old, []byte("{}"), 0o600)).To(Succeed())
	path := matrixFile(t, "kernels: [debian/trixie]\n")
	status, _, stderr := gate(t, "matrix", path, "--shard", "0/1", "--out", out, "--keyring", filepath.Join(out, "none"))
	g.Expect(status).To(Equal(exitFailed), stderr)
	g.Expect(old).NotTo(BeAnExistingFile())
}

// What differs between two architectures is not the kernels' doing alone.
func TestAMatrixOfTwoArchitecturesIsNotJoined(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	out := t.TempDir()
	for source, arch := range map[string]string{"debian/1-1": "amd64", "debian/2-1": "arm64"} {
		record := report.New(report.Kernel{Source: source, Arch: arch}, "virtual")
		g.Expect(writeRecord(t.Context(), out, record)).To(Succeed())
	}
	path := matrixFile(t, "baseline: debian/1-1\nkernels: [debian/2-1]\n")
	status, _, stderr := gate(t, "matrix", path, "--join", "--out", out)
	g.Expect(status).To(Equal(exitFailed))
	g.Expect(stderr).To(ContainSubstring("only records of kernels for one architecture can be compared"))
}

// A kernel has one name, whatever it is called.
func TestAMatrixCallsKernelsAsRecordsDo(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	native := string(kernel.Native())
	g.Expect(parseMatrix([]byte("baseline: debian/sid:" + native + "\nkernels: [\"debian/trixie:" + native + "\"]\n"))).To(
		Equal(matrix{Baseline: "debian/sid", Kernels: []string{"debian/trixie"}, Clock: "virtual", Trials: 1}))
}

func FuzzParseMatrix(f *testing.F) {
	for _, seed := range []string{
		"baseline: debian/bullseye\nkernels: [debian/trixie]\nlabel-filter: wire\nclock: real\ntrials: 3\n",
		`{"kernels": ["host"]}`, "kernels: &a [host]\nx: *a\n", "kernels: [host]\n---\n", "\t", "kernels:\n- !!binary aG9zdA==\n", "<<: {kernels: [host]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMatrix(text)
		if err != nil {
			return
		}
		var played []string
		for _, c := range m.cells() {
			part, err := m.part(c.Shard)
			if err != nil {
				t.Fatal(err)
			}
			played = append(played, part...)
		}
		NewWithT(t).Expect(played).To(Equal(m.all()))
	})
}
