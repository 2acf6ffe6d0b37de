package ladder

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAPageIsNotExceeded(t *testing.T) {
	for name, trial := range trials(t) {
		for _, width := range []int{1, 30, 45, 60, 80, 100, 140} {
			p := Page{Width: width}
			for what, text := range map[string]string{
				"alone": p.Text(trial), "beside": p.SideBySide(Panel{"debian/bullseye", trial}, Panel{"debian/trixie", theCase(t, false)}),
			} {
				for line := range strings.Lines(text) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%s, %s: %d columns on a page of %d: %s", name, what, n, width, line)
					}
				}
			}
		}
	}
}

func TestWhatAPageTells(t *testing.T) {
	for _, width := range []int{0, 60, 80, 120} {
		text := strings.Join(strings.Fields(Page{Width: width}.Text(theCase(t, true))), " ")
		for _, want := range []string{
			" 59.90 ms ", " 207.7 ms lost ", "[FIN_WAIT2]", "overtakes the FIN", "dropped by the server in FIN_WAIT2",
			"sent again after 208ms by the tlp (the RTO was 204ms)", "retransmitted; the client closed in 267.854ms",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("in %d columns %q is missing:\n%s", width, want, text)
			}
		}
		if n := strings.Count(text, " lost "); n != 1 {
			t.Errorf("in %d columns time was lost %d times:\n%s", width, n, text)
		}
	}
}

func TestColoursOnlyWhereWanted(t *testing.T) {
	trial := theCase(t, true)
	plain, colourful := Page{Width: 80}.Text(trial), Page{Width: 80, Colour: true}.Text(trial)
	if strings.Contains(plain, "\x1b") {
		t.Errorf("there are colours:\n%q", plain)
	}
	if !strings.Contains(colourful, "\x1b[31m            ~") {
		t.Errorf("the cost is not in red:\n%q", colourful)
	}
	for _, code := range []string{bold, faint, red, green, yellow, "0"} {
		colourful = strings.ReplaceAll(colourful, "\x1b["+code+"m", "")
	}
	if colourful != plain {
		t.Errorf("but for the colours it is another text:\n%s\n%s", colourful, plain)
	}
}

// A record that somebody else made is no way to a terminal's commands.
func TestARecordCannotSpeakToATerminal(t *testing.T) {
	p := Panel{"\x1b[2J", unlikely(t)}
	for _, text := range []string{Page{}.Text(p.Trial), Page{Width: 80}.SideBySide(p, p)} {
		if strings.ContainsAny(text, "\x1b\x00") {
			t.Errorf("it says %q", text)
		}
	}
}

func TestBesideEachOtherUpToTheFirstDifference(t *testing.T) {
	text := Page{Width: 120}.SideBySide(Panel{"old", theCase(t, true)}, Panel{"new", theCase(t, false)})
	before, after, found := strings.Cut(text, " the first difference ")
	if !found || strings.Contains(before, "dropped") || strings.Contains(after, "overtakes the FIN") {
		t.Errorf("it is not where they differ:\n%s", text)
	}
	_, line, _ := strings.Cut(after, "\n")
	line, _, _ = strings.Cut(line, "\n")
	if strings.Count(line, "F. 1:1(0) ack 1") != 2 {
		t.Errorf("what differs does not stand beside the other: %s", line)
	}
	if text := (Page{}).SideBySide(Panel{"a", theCase(t, true)}, Panel{"b", theCase(t, true)}); strings.Contains(text, "first difference") {
		t.Errorf("two that are the same differ:\n%s", text)
	}
}
