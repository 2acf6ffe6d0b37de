// Package ladder draws one teardown as a sequence diagram, or two beside each other: in
// text, for a file or a terminal, and as SVG.
package ladder

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const (
	// track is how many columns lie between the two hosts.
	track = 44
	// clockColumns is room for the time, in milliseconds.
	clockColumns = 11
)

// Text draws a trial from its first closing call on: the client on the left,
// the server on the right, a line for each segment where it arrived, and what
// came of it below. The times are milliseconds since the first closing call.
// The lines are at most about 120 characters long and end with a newline each.
func Text(t teardown.Trial) string {
	var out strings.Builder
	if t.Exchange != nil {
		drawEvents(&out, t.Timeline())
	}
	drawVerdict(&out, t)
	return out.String()
}

func drawEvents(out *strings.Builder, events []teardown.Event) {
	if len(events) == 0 {
		return
	}
	begin := events[0].At
	line(out, fmt.Sprintf("%*s", clockColumns-1, "ms"), fmt.Sprintf("%-*s%s", track-6, "client", "server"))
	for _, e := range events {
		clock := fmt.Sprintf("%*.3f", clockColumns-1, float64(e.At-begin)/float64(time.Millisecond))
		line(out, clock, Rung(e), e.Notes...)
	}
}

func line(out *strings.Builder, clock, rung string, notes ...string) {
	text := clock + "  " + rung
	if len(notes) > 0 {
		text += "  " + strings.Join(notes, "; ")
	}
	fmt.Fprintln(out, strings.TrimRight(text, " "))
}

// Rung is one event between the hosts, the client on the left.
func Rung(e teardown.Event) string { return rungOf(e, track) }

// rungOf is a rung between hosts that are so many columns apart.
func rungOf(e teardown.Event, track int) string {
	text := e.Text
	if e.IsState {
		text = "[" + text + "]"
	}
	switch {
	case e.IsSegment:
	case e.By == segment.Server:
		return fmt.Sprintf("%*s", track, text)
	default:
		return fmt.Sprintf("%-*s", track, text)
	}
	label := " " + e.Text + " "
	dashes := max(track-len(label)-1, 2)
	left, right := strings.Repeat("-", dashes/2), strings.Repeat("-", dashes-dashes/2)
	switch {
	case e.By == segment.Client && e.Lost:
		return left + label + right + "x"
	case e.By == segment.Client:
		return left + label + right + ">"
	case e.Lost:
		return "x" + left + label + right
	default:
		return "<" + left + label + right
	}
}

func drawVerdict(out *strings.Builder, t teardown.Trial) {
	fmt.Fprintln(out, verdict(t))
	for _, r := range t.Retransmissions {
		cause := r.Cause.String()
		fmt.Fprintf(out, "  %s\n    %s\n", strings.TrimSuffix(r.String(), "; "+cause), cause)
	}
	for _, why := range t.Why {
		fmt.Fprintf(out, "  because %s\n", why)
	}
}

// verdict is the outcome, and what became of each end.
func verdict(t teardown.Trial) string {
	text := string(t.Outcome)
	for _, s := range segment.Sides {
		took, closed := t.Latency[s]
		after, gaveUp := t.GivenUp[s]
		switch {
		case closed:
			text += fmt.Sprintf("; the %v closed in %v", s, took.Round(time.Microsecond))
		case gaveUp:
			text += fmt.Sprintf("; the %v was given up after %v", s, after.Round(time.Microsecond))
		default:
			text += fmt.Sprintf("; the %v did not close", s)
		}
		if state := t.States[s]; state != "" {
			text += fmt.Sprintf(" (%s)", state)
		}
	}
	return text
}
