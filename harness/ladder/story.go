package ladder

import (
	"fmt"
	"strings"

	"github.com/finwait/finwait/harness/teardown"
)

// story tells the exchanges in words, to whoever does not see them: what the
// programs did, what is remarkable about segments, and what came of it.
func story(panels []Panel, events [][]teardown.Event) string {
	var out strings.Builder
	for i, p := range panels {
		if p.Kernel != "" {
			fmt.Fprintf(&out, "On %s: ", p.Kernel)
		}
		for _, e := range events[i] {
			after := inShort(e.At - events[i][0].At)
			switch {
			case e.IsState, e.IsSegment && len(e.Notes) == 0 && !e.Lost:
			case !e.IsSegment:
				fmt.Fprintf(&out, "At %s, the %v: %s. ", after, e.By, e.Text)
			case e.Lost:
				fmt.Fprintf(&out, "At %s, the %v's %s is lost. ", after, e.By, strings.Join(append([]string{e.Text}, e.Notes...), "; "))
			default:
				fmt.Fprintf(&out, "At %s, the %v's %s arrives: %s. ", after, e.By, e.Text, strings.Join(e.Notes, "; "))
			}
		}
		fmt.Fprintf(&out, "In the end: %s. ", strings.Join(conclusions(p.Trial), ". "))
	}
	return strings.TrimSpace(out.String())
}

// conclusions are what is known beyond the drawing: a back-off of ten steps is told by
// its first ones.
func conclusions(t teardown.Trial) []string {
	const enough = 2
	out := []string{verdict(t)}
	for i, r := range t.Retransmissions {
		if i == enough && len(t.Retransmissions) > enough+1 {
			out = append(out, fmt.Sprintf("%d more were sent again", len(t.Retransmissions)-enough))
			break
		}
		out = append(out, r.String())
	}
	for _, why := range t.Why {
		out = append(out, "because "+why)
	}
	return out
}
