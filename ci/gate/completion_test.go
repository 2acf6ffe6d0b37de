package main

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

// The shells ask gate itself what could come next (cobra's __complete).
func TestTheShellCompletesArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	leave(t, "finwait-out", "debian/old", "virtual", teardown.Clean)
	for name, c := range map[string]struct {
		typed   string
		offered []string
		not     []string
	}{
		"kernels":                     {"run |", []string{"host", "debian/bullseye", "debian/trixie"}, nil},
		"a kernel is not named twice": {"explore host |", []string{"debian/trixie"}, []string{"host"}},
		"a baseline":                  {"run --baseline |", []string{"debian/bullseye"}, nil},
		"clocks":                      {"run --clock |", []string{"virtual", "real"}, nil},
		"formats":                     {"export --format |", []string{"pcapng"}, nil},
		"commands":                    {"|", []string{"run", "compare", "completion"}, []string{"pack"}},
		"scenarios to draw":           {"ladder |", []string{"overtaken-fin/x"}, nil},
		"scenarios of a record":       {"export finwait-out/debian-old/record.json |", []string{"overtaken-fin/x"}, nil},
		"a record that is none":       {"export none.json |", nil, []string{"overtaken-fin/x"}},
		"records":                     {"compare |", []string{"json", "map"}, nil},
		"matrices":                    {"matrix |", []string{"yaml", "json"}, nil},
		"folders":                     {"run --out |", []string{":16"}, nil}, // ShellCompDirectiveFilterDirs
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			words := append([]string{"__complete"}, strings.Fields(strings.TrimSuffix(c.typed, "|"))...)
			status, stdout, stderr := gate(t, append(words, "")...)
			g.Expect(status).To(Equal(exitNoRegression), stderr)
			var offered []string
			for line := range strings.Lines(stdout) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				offered = append(offered, word)
			}
			for _, word := range c.offered {
				g.Expect(offered).To(ContainElement(word))
			}
			for _, word := range c.not {
				g.Expect(offered).NotTo(ContainElement(word))
			}
		})
	}
}

func TestEachShellHasACompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		g := NewWithT(t)
		status, stdout, stderr := gate(t, "completion", shell)
		g.Expect(status).To(Equal(exitNoRegression), stderr)
		g.Expect(stdout).To(ContainSubstring("gate"), shell)
	}
}
