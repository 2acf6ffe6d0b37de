package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/kernel"
)

func TestExpectationsOfPinnedKernelsAreWhole(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	expected, err := loadExpectations("")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(expected.source).To(Equal("ci/behaviours.yaml"))
	g.Expect(expected.answers).NotTo(BeEmpty())
	for ref, answers := range expected.answers {
		for _, q := range behaviour.All() {
			g.Expect(answers).To(HaveKey(q.Name), "of %v", ref)
		}
	}
}

func TestExpectationsAreRead(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	got, err := readExpectations([]byte(`
debian/6.1.170-3:
  zero-window-fin: dropped # a comment
  too-old-ack-in-sequence: "accepted, challenge ACK"
debian/6.1.170-3:arm64:
  zero-window-fin: accepted
debian/7.3~rc7-1~exp1:amd64:
  rto-max: obeyed
`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(Equal(map[kernel.Reference]map[string]string{
		{Origin: kernel.DebianVersion, Name: "6.1.170-3", Arch: kernel.AMD64}:      {"zero-window-fin": "dropped", "too-old-ack-in-sequence": "accepted, challenge ACK"},
		{Origin: kernel.DebianVersion, Name: "6.1.170-3", Arch: kernel.ARM64}:      {"zero-window-fin": "accepted"},
		{Origin: kernel.DebianVersion, Name: "7.3~rc7-1~exp1", Arch: kernel.AMD64}: {"rto-max": "obeyed"},
	}))
}

func TestBadExpectations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                      "it expects nothing",
		"# nothing\n":           "it expects nothing",
		"debian/1-1: {}\n---\n": "more than one document",
		"- debian/1-1\n":        "line 1: want a mapping",
		"debian/1-1: [":         "line 1",
		"bullseye: {}\n":        `line 1: "bullseye" names no kernel`,
		"debian/bullseye: {}\n": "line 1: debian/bullseye may be another kernel tomorrow",
		"debian/6.1.170: {}\n":  "line 1: debian/6.1.170 may be another kernel tomorrow",
		"host: {}\n":            "line 1: host may be another kernel tomorrow",
		"[a]: {}\n":             "line 1: want a word",
		"debian/1-1: FIN\n":     "line 1: want a mapping",
		"debian/1-1: {}\ndebian/2-1: {}\ndebian/1-1: {}\n":    "line 3: debian/1-1 is in line 1 already",
		"debian/1-1: {}\ndebian/1-1:amd64: {}\n":              "line 2: debian/1-1:amd64 is the kernel of line 1 already",
		"debian/1-1:\n  colour: red\n":                        `line 2: there is no question "colour"`,
		"debian/1-1:\n  rto-min: maybe\n":                     `line 2: "maybe" is no answer to rto-min: there are "obeyed", "ignored", "absent"`,
		"debian/1-1:\n  rto-min:\n  - obeyed\n":               `line 3: "" is no answer to rto-min`,
		"debian/1-1:\n  rto-min: obeyed\n  rto-min: absent\n": "line 3: rto-min is in line 2 already",
		"debian/1-1: &a\n  rto-min: obeyed\ndebian/2-1: *a\n": "line 3: want a mapping",
		"debian/1-1: {<<: {rto-min: obeyed}}\n":               `line 1: there is no question "<<"`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			got, err := readExpectations([]byte(text))
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)), "%q is read as %v", text, got)
		})
	}
}

func TestExpectationsThatCannotBeUsedAreFoundBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "mine.yaml")
	g.Expect(os.WriteFile(path, []byte("debian/1-1:\n  colour: red\n"), 0o600)).To(Succeed())
	status, _, stderr := gate(t, "behaviours", "--expect", path, "debian/trixie")
	g.Expect(status).To(Equal(exitFailed))
	g.Expect(stderr).To(HavePrefix("gate: " + path + `: line 2: there is no question "colour"`))
	status, _, stderr = gate(t, "behaviours", "--expect", path+".none", "debian/trixie")
	g.Expect(status).To(Equal(exitFailed))
	g.Expect(stderr).To(ContainSubstring("--expect: open " + path + ".none: no such file"))
}

func FuzzExpectations(f *testing.F) {
	for _, text := range []string{
		"debian/1-1:\n  rto-min: obeyed # so\n", "debian/1-1: &a {rto-min: absent}\ndebian/2-1: *a\n", "? [a]\n: b\n", "---\n...\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readExpectations([]byte(text))
		if err != nil {
			return
		}
		for ref, answers := range all {
			if !strings.Contains(ref.Name, "-") || ref.Arch == "" {
				t.Errorf("%v pins no kernel", ref)
			}
			for name, words := range answers {
				if q, found := questionOf(name); !found || !q.HasAnswer(words) {
					t.Errorf("%s: %q is no answer", name, words)
				}
			}
		}
	})
}
