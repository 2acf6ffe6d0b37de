package bisect

import (
	"fmt"
	"strings"
)

// A Verdict is that on a kernel of the row: one that is told to be neither good nor bad is
// skipped.
type Verdict string

// The verdicts.
const (
	Good    Verdict = "good"
	Bad     Verdict = "bad"
	Skipped Verdict = "skip"
)

// A Step is what became of one kernel.
type Step struct {
	// Kernel is the KERNEL argument.
	Kernel  string  `json:"kernel"`
	Version string  `json:"version"`
	Verdict Verdict `json:"verdict"`
	// Shows is how the scenario ended, or the answer; Why, what kept it from being told.
	Shows string `json:"shows,omitempty"`
	Why   string `json:"why,omitempty"`
	// Ladder is the file that tells how it went.
	Ladder string `json:"ladder,omitempty"`
}

// String is the step in a line.
func (t Step) String() string {
	line := fmt.Sprintf("%-4s  %v", t.Verdict, t.kernel())
	for _, text := range []string{t.Shows, t.Why} {
		if text != "" {
			line += ": " + text
		}
	}
	return line
}

// kernel is "debian/bullseye (5.10.262-1)", or "debian/5.10.262-1:arm64", which says it.
func (t Step) kernel() string {
	if name, _, _ := strings.Cut(t.Kernel, ":"); name == "debian/"+t.Version {
		return t.Kernel
	}
	return fmt.Sprintf("%s (%s)", t.Kernel, t.Version)
}
