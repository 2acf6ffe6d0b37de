package ladder

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Page is what somebody reads a ladder on, such as a terminal.
type Page struct {
	// Width is in columns; 0 is as many as it takes.
	Width int
	// Colour is true where colours are understood, as terminals write them.
	Colour bool
}

// A span is text of one colour, which is what stands in "\x1b[...m"; empty for the
// page's own.
type span struct{ text, colour string }

const (
	bold, faint, red, green, yellow = "1", "2", "31", "32", "33"

	// leastTrack is how close the hosts come on a narrow page, and noteRoom how much
	// room there has to be for notes beside them: otherwise they go below.
	leastTrack, noteRoom = 30, 30
	// indent is where what goes below begins.
	indent = clockColumns + 1
	// between two columns of a page.
	columnGap = 3
)

// Text is a ladder for a page: no wider, with the long waits told between the lines
// and the cost in red.
func (p Page) Text(t teardown.Trial) string {
	var out [][]span
	if t.Exchange != nil {
		out, _ = p.column(t.Timeline(), -1)
	}
	return p.print(append(out, p.verdict(t, "")...))
}

// SideBySide puts two ladders beside each other, and a line above the first thing that
// differs between them.
func (p Page) SideBySide(a, b Panel) string {
	half := Page{Width: indent + track}
	if p.Width > 0 {
		half.Width = min(half.Width, (p.Width-columnGap)/2)
	}
	var events [2][]teardown.Event
	for i, panel := range []Panel{a, b} {
		if panel.Trial.Exchange != nil {
			events[i] = panel.Trial.Timeline()
		}
	}
	var first [2]int
	first[0], first[1] = firstDifference(events[0], events[1])
	left, differsLeft := half.column(events[0], first[0])
	right, differsRight := half.column(events[1], first[1])
	out := [][]span{half.beside([]span{{a.Kernel, bold}}, []span{{b.Kernel, bold}})}
	for i := range max(differsLeft, differsRight) {
		out = append(out, half.beside(at(left[:differsLeft], i), at(right[:differsRight], i)))
	}
	if left, right = left[differsLeft:], right[differsRight:]; first[0] >= 0 || first[1] >= 0 {
		out = append(out, []span{{centred(" the first difference ", 2*half.Width+columnGap, "="), yellow}})
	}
	for i := range max(len(left), len(right)) {
		out = append(out, half.beside(at(left, i), at(right, i)))
	}
	out = append(out, p.verdict(a.Trial, a.Kernel)...)
	return p.print(append(out, p.verdict(b.Trial, b.Kernel)...))
}

// at is a line of a column that may have ended before.
func at(lines [][]span, i int) []span {
	if i < len(lines) {
		return lines[i]
	}
	return nil
}

// beside puts two lines of half pages into one.
func (p Page) beside(left, right []span) []span {
	left = clip(left, p.Width)
	room := p.Width + columnGap - length(left)
	return append(append(left[:len(left):len(left)], span{text: strings.Repeat(" ", room)}), clip(right, p.Width)...)
}

// column draws events below each other, and returns where the one with the number
// first begins; the end, where there is none.
func (p Page) column(events []teardown.Event, first int) (lines [][]span, begins int) {
	begins = -1
	if len(events) > 0 {
		lines = append(lines, []span{{fmt.Sprintf("%*s  %-*s%s", clockColumns-1, "ms", p.track()-6, "client", "server"), faint}})
	}
	s := scaleOf(momentsOf(events))
	for i, e := range events {
		if i > 0 && s.folds(float64(e.At)-float64(events[i-1].At)) {
			lines = append(lines, p.fold(events, i))
		}
		if i == first {
			begins = len(lines)
		}
		clock := fmt.Sprintf("%*.3f  ", clockColumns-1, float64(e.At-events[0].At)/float64(time.Millisecond))
		lines = append(lines, p.row(clock, e)...)
	}
	if begins < 0 {
		begins = len(lines)
	}
	return lines, begins
}

// track is how many columns lie between the hosts.
func (p Page) track() int {
	if p.Width == 0 {
		return track
	}
	return max(min(track, p.Width-indent), leastTrack)
}

// row is an event, with its notes beside it or below.
func (p Page) row(clock string, e teardown.Event) [][]span {
	drawn, colour := rungOf(e, p.track()), ""
	switch {
	case e.IsState:
		colour = bold
	case e.Lost, e.Dropped:
		colour = red
	}
	lines := [][]span{{{clock, faint}, {drawn, colour}}}
	room := p.Width - indent - p.track() - 2
	besides := p.Width == 0 || room >= noteRoom
	var notes []span
	for _, n := range notesOf(e) {
		colour := map[tone]string{remark: yellow, costly: red}[n.tone]
		switch fits := p.Width == 0 || utf8.RuneCountInString(n.text) <= room; {
		case e.IsState && fits: // who told of it is for those who have the room
			notes = append(notes, span{n.text, faint})
		case e.IsState:
		case fits:
			notes = append(notes, span{n.text, colour})
		case besides:
			notes = append(notes, coloured(wrap(n.text, room), colour)...)
		default:
			notes = append(notes, coloured(wrap(n.text, p.track()), colour)...)
		}
	}
	for i, n := range notes {
		switch {
		case besides && i == 0:
			lines[0] = append(lines[0], span{text: "  "}, n)
		case besides:
			lines = append(lines, []span{{text: strings.Repeat(" ", indent+p.track()+2)}, n})
		case e.By == segment.Server:
			lines = append(lines, []span{{text: strings.Repeat(" ", indent+max(p.track()-utf8.RuneCountInString(n.text), 0))}, n})
		default:
			lines = append(lines, []span{{text: strings.Repeat(" ", indent)}, n})
		}
	}
	return lines
}

func coloured(lines []string, colour string) []span {
	var out []span
	for _, l := range lines {
		out = append(out, span{l, colour})
	}
	return out
}

// fold tells of the wait before an event that is not to scale.
func (p Page) fold(events []teardown.Event, i int) []span {
	from, to := events[i-1].At, events[i].At
	text, colour := inShort(to-from), faint
	for _, e := range events[i:] {
		if e.Again != nil && e.Since <= from && to <= e.At {
			text, colour = text+" lost", red
			break
		}
	}
	return []span{{strings.Repeat(" ", indent) + centred(" "+text+" ", p.track(), "~"), colour}}
}

// centred fills a line up on both sides.
func centred(text string, width int, with string) string {
	fill := max(width-utf8.RuneCountInString(text), 0)
	return strings.Repeat(with, fill/2) + text + strings.Repeat(with, fill-fill/2)
}

// verdict is what came of a trial, and why.
func (p Page) verdict(t teardown.Trial, kernel string) [][]span {
	colour := map[string]string{"good": green, "odd": yellow, "bad": red}[colourOf(t.Outcome)]
	if kernel != "" {
		kernel += ": "
	}
	var lines [][]span
	for i, text := range conclusions(t) {
		if i == 0 {
			text = kernel + text
		} else {
			colour = ""
		}
		parts := []string{text}
		if p.Width > 0 {
			parts = wrap(text, p.Width-2)
		}
		for j, part := range parts {
			if i > 0 || j > 0 {
				part = "  " + part
			}
			lines = append(lines, []span{{part, colour}})
		}
	}
	return lines
}

// print writes lines as the page wants them.
func (p Page) print(lines [][]span) string {
	var out strings.Builder
	for _, l := range lines {
		if p.Width > 0 {
			l = clip(l, p.Width)
		}
		for _, s := range trimmed(l) {
			text := strings.Map(printable, s.text)
			if p.Colour && s.colour != "" {
				text = "\x1b[" + s.colour + "m" + text + "\x1b[0m"
			}
			out.WriteString(text)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// printable keeps what a record says from being taken for a terminal's commands.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// trimmed is a line without the spaces at its end.
func trimmed(l []span) []span {
	for i := len(l) - 1; i >= 0; i-- {
		text := strings.TrimRight(l[i].text, " ")
		if text != "" {
			return append(l[:i:i], span{text, l[i].colour})
		}
	}
	return nil
}

// length is how many columns a line takes.
func length(l []span) (columns int) {
	for _, s := range l {
		columns += utf8.RuneCountInString(s.text)
	}
	return columns
}

// clip cuts a line that has no room.
func clip(l []span, width int) []span {
	var out []span
	for _, s := range l {
		if letters := []rune(s.text); len(letters) > width {
			s.text = string(letters[:max(width, 0)])
		}
		width -= utf8.RuneCountInString(s.text)
		out = append(out, s)
	}
	return out
}
