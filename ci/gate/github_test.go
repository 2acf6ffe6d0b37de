package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

// An actionsJob is a machine of GitHub's as far as the scripts in ci/github can tell: the gate and
// some other programs in PATH, and files for what a step has to say.
type actionsJob struct {
	t      *testing.T
	folder string
	env    []string
}

func newActionsJob(t *testing.T, env ...string) *actionsJob {
	t.Helper()
	j := &actionsJob{t: t, folder: t.TempDir()}
	for _, file := range []string{"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"} {
		j.env = append(j.env, file+"="+filepath.Join(j.folder, file))
	}
	bin := filepath.Join(j.folder, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	j.env = append(j.env, "RUNNER_TEMP="+j.folder, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	j.env = append(j.env, env...)
	j.program("gate", `exec env `+gateInstead+`=1 "`+self(t)+`" "$@"`)
	return j
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program puts a script into the job's PATH.
func (j *actionsJob) program(name, script string) {
	j.t.Helper()
	if err := os.WriteFile(filepath.Join(j.folder, "bin", name), []byte("#!/bin/bash\n"+script+"\n"), 0o755); err != nil {
		j.t.Fatal(err)
	}
}

// run runs a script and returns its exit status.
func (j *actionsJob) run(script string) (status int, output string) {
	j.t.Helper()
	path, err := filepath.Abs("../github/" + script)
	if err != nil {
		j.t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Dir, cmd.Env = j.folder, j.env
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		j.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// said is what a script has written to one of GitHub's files.
func (j *actionsJob) said(file string) string {
	text, err := os.ReadFile(filepath.Join(j.folder, file))
	if err != nil {
		return ""
	}
	return string(text)
}

func TestInputsOfTheWorkflowBecomeAMatrix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env         []string
		matrix      string
		cells, says string
	}{
		"words": {
			[]string{"KERNELS=debian/bookworm\n debian/trixie", "BASELINE=debian/bullseye", "LABEL_FILTER=wire && !orphan", "TRIALS=2"},
			`{"kernels": ["debian/bookworm", "debian/trixie"], "baseline": "debian/bullseye", "label-filter": "wire && !orphan", "trials": 2}`,
			`[{"kernel": "debian/bullseye", "shard": "0/3"}, {"kernel": "debian/bookworm", "shard": "1/3"}, {"kernel": "debian/trixie", "shard": "2/3"}]`, "",
		},
		"a list": {
			[]string{`KERNELS=["debian/sid"]`},
			`{"kernels": ["debian/sid"], "baseline": "", "label-filter": "", "trials": 1}`, `[{"kernel": "debian/sid", "shard": "0/1"}]`, "",
		},
		"what there is today": {
			[]string{"KERNELS= ", "BASELINE=debian/bullseye"},
			`{"kernels": ["debian/trixie", "debian/sid"], "baseline": "debian/bullseye", "label-filter": "", "trials": 1}`,
			`[{"kernel": "debian/bullseye", "shard": "0/3"}, {"kernel": "debian/trixie", "shard": "1/3"}, {"kernel": "debian/sid", "shard": "2/3"}]`, "",
		},
		"what cannot be had":    {[]string{"KERNELS= ", "NO_TRIXIE=1"}, "", "", "debian/trixie: no mirror has it"},
		"a misspelt kernel":     {[]string{"KERNELS=bullseye"}, "", "", `"bullseye" names no kernel`},
		"a list that is none":   {[]string{"KERNELS=[debian/sid"}, "", "", "invalid JSON"},
		"a number that is none": {[]string{"KERNELS=host", "TRIALS=many"}, "", "", "trials"},
		"a label filter":        {[]string{"KERNELS=host", "LABEL_FILTER=(("}, "", "", `--label-filter "(("`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			j := newActionsJob(t, c.env...)
			listed := []bootable{{Kernel: "host"}, {Kernel: "debian/bullseye"}, {Kernel: "debian/trixie"}, {Kernel: "debian/sid"}}
			if slices.Contains(c.env, "NO_TRIXIE=1") {
				listed[2].Error = "no mirror has it"
			}
			text, err := json.Marshal(listed)
			g.Expect(err).NotTo(HaveOccurred())
			// Which kernels there are, a mirror says.
			j.program("gate", `if [[ "$*" == "kernels --json" ]]; then echo '`+string(text)+`'; exit; fi
exec env `+gateInstead+`=1 "`+self(t)+`" "$@"`)
			status, output := j.run("plan.sh")
			if c.matrix == "" {
				g.Expect(status).NotTo(BeZero())
				g.Expect(output).To(ContainSubstring(c.says))
				g.Expect(j.said("GITHUB_OUTPUT")).To(BeEmpty())
				return
			}
			g.Expect(status).To(BeZero(), output)
			lines := strings.Split(strings.TrimSpace(j.said("GITHUB_OUTPUT")), "\n")
			g.Expect(lines).To(HaveLen(2))
			matrix, isMatrix := strings.CutPrefix(lines[0], "matrix=")
			cells, isCells := strings.CutPrefix(lines[1], "cells=")
			g.Expect(isMatrix && isCells).To(BeTrue(), "%q", lines)
			g.Expect(matrix).To(MatchJSON(c.matrix))
			g.Expect(cells).To(MatchJSON(c.cells))
		})
	}
}

// The closing job is red for a regression, for what is not known, and for a cell that has
// left nothing; and each time the summary says why.
func TestTheClosingJobIsRedIfAnyCellIs(t *testing.T) {
	t.Parallel()
	type left map[string]teardown.Outcome
	for name, c := range map[string]struct {
		left left
		want int
		says string
	}{
		"all is well": {left{"old": teardown.Retransmitted, "new": teardown.Clean}, exitNoRegression, "kernels end TCP connections: no regression"},
		"regression":  {left{"old": teardown.Clean, "new": teardown.Stuck}, exitRegression, "1 regressed"},
		"not known":   {left{"old": teardown.Clean, "new": teardown.Inconclusive}, exitInconclusive, "connections: inconclusive"},
		"a lost cell": {left{"old": teardown.Clean}, exitFailed, "    gate: finwait-out has no record of debian/new"},
		"no cell":     {nil, exitFailed, "    gate: finwait-out has no record of debian/old, debian/new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			j := newActionsJob(t, "OUT=finwait-out", "ARGUMENTS=matrix 'the matrix.json' --join")
			out := filepath.Join(j.folder, "finwait-out")
			for kernel, outcome := range c.left {
				leave(t, out, "debian/"+kernel, "virtual", outcome)
			}
			g.Expect(os.WriteFile(filepath.Join(j.folder, "the matrix.json"),
				[]byte(`{"baseline": "debian/old", "kernels": ["debian/new"]}`), 0o600)).To(Succeed())
			status, output := j.run("gate.sh")
			g.Expect(status).To(Equal(c.want), output)
			g.Expect(j.said("GITHUB_STEP_SUMMARY")).To(ContainSubstring(c.says))
		})
	}
}

// An argument is never a command: what a pull request is called can stand in one.
func TestArgumentsAreNotExpanded(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	j := newActionsJob(t, "OUT=out", "ARGUMENTS=run --label-filter 'a && !b' $(touch made) *; touch made")
	j.program("gate", `printf '<%s>' "$@"`)
	status, output := j.run("gate.sh")
	g.Expect(status).To(BeZero(), output)
	g.Expect(output).To(ContainSubstring("<run><--label-filter><a && !b><$(touch><made)><*;><touch><made><--out><out>"))
	g.Expect(filepath.Join(j.folder, "made")).NotTo(BeAnExistingFile())
}

func TestArgumentsAreWholeOrNothingRuns(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	j := newActionsJob(t, "OUT=out", "ARGUMENTS=run debian/bullseye 'debian/sid")
	j.program("gate", `touch ran`)
	status, output := j.run("gate.sh")
	g.Expect(status).NotTo(BeZero())
	g.Expect(output).To(ContainSubstring("unmatched single quote"))
	g.Expect(filepath.Join(j.folder, "ran")).NotTo(BeAnExistingFile())
}

func TestTheRunnersKernelIsPlayedWithNetemWhereThereIsAPackage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		packaged, module string
		want             []string
		says             string
	}{
		"with":    {"exit 0", "exit 0", []string{"apt-get update", "apt-get install -y --no-install-recommends linux-modules-extra-", "modprobe sch_netem", "make specs"}, "with netem"},
		"without": {"exit 100", "exit 1", []string{"apt-get update", "modprobe sch_netem", "make specs"}, "without netem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			j := newActionsJob(t)
			j.program("sudo", `[[ $1 == env ]] && shift 3; "$@"`)
			j.program("apt-cache", c.packaged)
			j.program("apt-get", `echo "apt-get $*"`)
			j.program("modprobe", `echo "modprobe $*"; `+c.module)
			j.program("make", `echo "make $*"`)
			status, output := j.run("host.sh")
			g.Expect(status).To(BeZero(), output)
			lines := strings.Split(strings.TrimSpace(output), "\n")
			g.Expect(lines).To(HaveLen(len(c.want)), output)
			for i, want := range c.want {
				g.Expect(lines[i]).To(HavePrefix(want))
			}
			g.Expect(j.said("GITHUB_STEP_SUMMARY")).To(ContainSubstring(c.says))

			j.program("make", "exit 2")
			status, _ = j.run("host.sh")
			g.Expect(status).NotTo(BeZero(), "specs that fail make no job red")
		})
	}
}
