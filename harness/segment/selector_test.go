package segment

import (
	"strings"
	"testing"
)

func TestSelectorsPickWhatTheySay(t *testing.T) {
	fin, ack := FIN|ACK, ACK
	// A connection from its SYN on; each segment with what picks it.
	steps := []struct {
		from  Side
		s     Segment
		picks string
	}{
		{Client, Segment{Flags: SYN}, "client syn 1"},
		{Client, Segment{Flags: ack, Seq: 1, Length: 10}, "client data 1"},
		{Server, Segment{Flags: ack, Seq: 1, Ack: 11}, "server ack 1"},
		{Server, Segment{Flags: fin, Seq: 1, Ack: 11}, "server fin 1"},
		{Client, Segment{Flags: ack, Seq: 11, Ack: 1}, "client ack 1"},
		{Client, Segment{Flags: ack, Seq: 11, Ack: 2}, "client ack-of-fin 1"},
		{Client, Segment{Flags: fin, Seq: 11, Ack: 2, Length: 5}, "client fin 1"},
		{Client, Segment{Flags: fin, Seq: 11, Ack: 2, Length: 5}, "client fin 2"},
		{Server, Segment{Flags: RST, Seq: 2}, "server rst 1"},
	}
	var tracker Tracker
	var seen []Seen
	for _, step := range steps {
		seen = append(seen, tracker.See(step.from, step.s))
	}
	for i, step := range steps {
		sel := mustParse(t, step.picks)
		for j, other := range seen {
			if got := other.Is(sel); got != (i == j) {
				t.Errorf("%q picks segment %d: %v", step.picks, j+1, got)
			}
		}
	}
	for text, want := range map[string][]int{
		"client fin":  {7, 8},
		"client data": {2, 7, 8},
		"client ack":  {5, 6},
		"server any":  {3, 4, 9},
	} {
		var got []int
		for i, s := range seen {
			if s.Is(mustParse(t, text)) {
				got = append(got, i+1)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%q picks %v, want %v", text, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q picks %v, want %v", text, got, want)
			}
		}
	}
}

func mustParse(t *testing.T, text string) Selector {
	t.Helper()
	sel, err := ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func TestParseSelectorShowsWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "client or server should follow",
		"router fin":        `"router" (word 1) should be client or server`,
		"client":            "one of syn, rst, fin, data, ack-of-fin, ack, any, advancing-ack, challenge-ack should follow",
		"client fni":        `"fni" (word 2) should be one of syn`,
		"client fin first":  `"first" (word 3) should be a number from 1 on`,
		"client fin 0":      `"0" (word 3)`,
		"client fin 1 only": `"only" (word 4) should be the end`,
	} {
		if _, err := ParseSelector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", text, err, want)
		}
	}
}

func FuzzParseSelector(f *testing.F) {
	f.Add("client fin 2")
	f.Add("server ack-of-fin")
	f.Fuzz(func(t *testing.T, text string) {
		sel, err := ParseSelector(text)
		if err != nil {
			return
		}
		if again, err := ParseSelector(sel.String()); err != nil || again != sel {
			t.Errorf("%q is written as %q, which is read as %v (%v)", text, sel, again, err)
		}
	})
}
