package bisect

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// A Change is what a search finds.
type Change struct {
	// Scenario is the one that shows it, or the behaviour.
	Scenario string `json:"scenario"`
	// Last is the last kernel that is told to be as it was before the change, and First
	// the first that is told to be as it is since.
	Last  Step `json:"last"`
	First Step `json:"first"`
	// Untold are the versions between the two, of which neither is told.
	Untold []string `json:"untold,omitempty"`
	// Distance says how far the two are from each other.
	Distance string `json:"distance"`
	// Steps are all that were taken, in their order.
	Steps []Step `json:"steps"`
}

// Write says what was found.
func (c Change) Write(w io.Writer) {
	fmt.Fprintf(w, "\nthe first %s kernel is %s: %s\n", c.First.Verdict, c.First.kernel(), c.First.Shows)
	if len(c.Untold) > 0 {
		fmt.Fprintf(w, "or one of those that could not be told: %s\n", strings.Join(c.Untold, " "))
	}
	fmt.Fprintf(w, "the last %s one is %s: %s\n", c.Last.Verdict, c.Last.kernel(), c.Last.Shows)
	fmt.Fprintf(w, "%s\nhow they went:\n  %s\n  %s\n", c.Distance, c.First.Ladder, c.Last.Ladder)
}

// linux takes the version of Linux, and its series, out of a package's.
var linux = regexp.MustCompile(`^(?:[0-9]+:)?((\d+\.\d+)[^-]*)`)

// distance says how far two kernels are from each other: what is between them is for
// whoever looks for the commit.
func distance(last, first string) string {
	a, b := linux.FindStringSubmatch(last), linux.FindStringSubmatch(first)
	switch {
	case a == nil || b == nil:
		return fmt.Sprintf("between %s and %s", last, first)
	case a[1] == b[1]:
		return fmt.Sprintf("both are Linux %s: the change is Debian's", a[1])
	case a[2] == b[2]:
		return fmt.Sprintf("between Linux %s and %s, of one series", a[1], b[1])
	}
	return fmt.Sprintf("between series %s and %s: Linux %s and %s", a[2], b[2], a[1], b[1])
}
