//go:build vm

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/ci/gate/internal/bisect"
)

// The change that answers this came to 5.10.y by 5.10.247. Debian has nothing of the
// series between 5.10.223 and 5.10.251.
func TestBisectFindsTheFirstKernelOfASeries(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	status, stdout, stderr := gate(t, "bisect", "--good", "debian/5.10.262-1", "--bad", "debian/5.10.218-1",
		"--trials", "1", "--out", out, "behaviour/close-after-repeated-data")
	g.Expect(status).To(Equal(exitNoRegression), "%s%s", stdout, stderr)
	g.Expect(stdout).To(ContainSubstring("\nthe first good kernel is debian/5.10.251-5: FIN\n" +
		"the last bad one is debian/5.10.223-1: RST\nbetween Linux 5.10.223 and 5.10.251, of one series\n"))

	text, err := os.ReadFile(filepath.Join(out, "bisect.json"))
	g.Expect(err).NotTo(HaveOccurred())
	var found bisect.Change
	g.Expect(json.Unmarshal(text, &found)).To(Succeed())
	g.Expect(found.First.Version).To(Equal("5.10.251-5"))
	g.Expect(found.Last.Version).To(Equal("5.10.223-1"))
	g.Expect(len(found.Steps)).To(BeNumerically(">", 3))
	for _, taken := range found.Steps {
		exchanged, err := os.ReadFile(taken.Ladder)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(exchanged)).To(ContainSubstring("server: close()"))
	}
}

// history makes a git repository whose commits each hold the name of a kernel, oldest
// first; where that is empty there is none to build.
func history(t *testing.T, kernels ...string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	git(t, folder, "init", "--quiet")
	for i, name := range kernels {
		if err := os.WriteFile(filepath.Join(folder, "kernel"), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, folder, "add", ".")
		git(t, folder, "-c", "user.name=finwait", "-c", "user.email=finwait@localhost", "commit", "--quiet", "--allow-empty", "--message", string(rune('a'+i)))
	}
	return folder
}

// git runs git, which has to succeed.
func git(t *testing.T, folder string, args ...string) (output string) {
	t.Helper()
	output, err := tryGit(t, folder, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, output)
	}
	return output
}

func tryGit(t *testing.T, folder string, args ...string) (output string, err error) {
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C")
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestGitBisectsBySteps(t *testing.T) {
	const old, mended = "debian/5.10.262-1", "debian/6.12.118-1"
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "gate")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	// step builds nothing, and takes the kernel that the commit names.
	step := func(args string) string {
		return `kernel=$(cat kernel) && [ "$kernel" ] || exit 125; cd "` + checkout + `" && exec "` + binary + `" step --trials 1 ` + args + ` "$kernel"`
	}
	t.Run("to the commit that mended it", func(t *testing.T) {
		g := NewWithT(t)
		folder := history(t, old, "", old, old, mended, mended, mended)
		git(t, folder, "bisect", "start", "--term-old", "broken", "--term-new", "mended", "HEAD", "HEAD~6")
		output := git(t, folder, "bisect", "run", "sh", "-c", step("--want retransmitted overtaken-fin/server-shutdown/ipv4"))
		g.Expect(output).To(MatchRegexp(`(?m)^[0-9a-f]{40} is the first mended commit$`))
		g.Expect(git(t, folder, "log", "--format=%s", "-1", "refs/bisect/mended")).To(Equal("e\n"))
	})
	t.Run("to the commit that broke it", func(t *testing.T) {
		g := NewWithT(t)
		folder := history(t, mended, mended, "", old, old)
		git(t, folder, "bisect", "start", "HEAD", "HEAD~4")
		output, err := tryGit(t, folder, "bisect", "run", "sh", "-c", step("overtaken-fin/server-shutdown/ipv4"))
		g.Expect(err).To(HaveOccurred(), "one in between cannot be told")
		g.Expect(output).To(ContainSubstring("The first bad commit could be any of:"))
		g.Expect(git(t, folder, "log", "--format=%s", "-1", "refs/bisect/bad")).To(Equal("d\n"))
	})
	t.Run("not at all", func(t *testing.T) {
		g := NewWithT(t)
		folder := history(t, mended, mended, old, old)
		git(t, folder, "bisect", "start", "HEAD", "HEAD~3")
		output, err := tryGit(t, folder, "bisect", "run", "sh", "-c", step("overtaken-fin"))
		g.Expect(err).To(HaveOccurred())
		g.Expect(output).To(ContainSubstring("exit code 128"))
		g.Expect(git(t, folder, "bisect", "log")).NotTo(ContainSubstring("git bisect bad"), "what is no scenario is no bad commit")
	})
}
