package explore

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var names = []string{"close", "shutdown"}

// mapOf explores the model of a kernel.
func mapOf(t *testing.T, source string, old bool, b Bounds) *Map {
	t.Helper()
	m := &Map{Release: "6.0", Source: source, Drops: b.Drops, Duplicates: b.Duplicates}
	for _, c := range names {
		for _, s := range names {
			m.Add(Pair{c, s}, search(t, &model{calls: [2][]string{{c}, {s}}, old: old}, b))
		}
	}
	return m
}

func written(t *testing.T, m *Map) string {
	t.Helper()
	var out strings.Builder
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMapIsWrittenAndReadBack(t *testing.T) {
	for arch, b := range map[string]Bounds{"": {}, "arm64": {Drops: 1}} {
		m := mapOf(t, "a kernel", true, b)
		m.Arch = arch
		text := written(t, m)
		read, err := ReadMap(strings.NewReader(text), "x.map")
		if err != nil {
			t.Fatal(err)
		}
		if again := written(t, read); again != text || !reflect.DeepEqual(read, m) {
			t.Errorf("%+v: it is read back as another", b)
		}
		b.All = true
		all := mapOf(t, "a kernel", true, b)
		all.Arch = arch
		if written(t, all) != text {
			t.Errorf("%+v: the map of all orders is another", b)
		}
	}
}

// What is written is compared with what is kept: nobody changes the format unawares.
func TestMapText(t *testing.T) {
	want, err := os.ReadFile("testdata/old.map")
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, mapOf(t, "the model of an old kernel", true, Bounds{})); got != string(want) {
		t.Errorf("it is\n%s", got)
	}
}

func TestBadMaps(t *testing.T) {
	good := strings.Split(strings.TrimSuffix(written(t, mapOf(t, "a kernel", true, Bounds{})), "\n"), "\n")
	const first = 7 // the first order
	for want, spoil := range map[string]func(lines []string) []string{
		"x.map:1: this is no behaviour map":       func(l []string) []string { l[0] = "finwait behaviour map 2"; return l },
		`x.map:2: want "kernel"`:                  func(l []string) []string { l[1] = "kernel 6.0"; return l },
		"x.map:3: want bounds":                    func(l []string) []string { l[2] = "bounds -1 drops, 0 duplicates"; return l },
		"x.map:3: want an architecture":           func(l []string) []string { return slices.Insert(l, 2, "architecture x y") },
		"x.map:4: want bounds":                    func(l []string) []string { return slices.Insert(l, 2, "architecture a", "architecture b") },
		"x.map:4: it ends within the header":      func(l []string) []string { return append(l[:2], "architecture a") },
		"x.map:3: it ends within the header":      func(l []string) []string { return l[:2] },
		"x.map:1: it ends within the header":      func([]string) []string { return nil },
		"x.map:4: it has 2 columns":               func(l []string) []string { l[3] = "explored close | close"; return l },
		`"101.00%" should be a share`:             func(l []string) []string { l[3] = "explored close | close | 101.00%"; return l },
		`should be written "explored close`:       func(l []string) []string { l[3] = "explored close | close | 100%"; return l },
		"x.map:8: it has 1 columns, and an order": func(l []string) []string { l[first] = "nonsense"; return l },
		"is not among those explored":             func(l []string) []string { l[first] = strings.Replace(l[first], "close", "exit", 1); return l },
		"x.map:9: this was said before":           func(l []string) []string { l[first+1] = l[first]; return l },
		"x.map:9: it is out of order":             func(l []string) []string { l[first], l[first+1] = l[first+1], l[first]; return l },
		`"fine" is no outcome`:                    func(l []string) []string { l[first] = strings.Replace(l[first], "clean", "fine", 1); return l },
		`the server sent 2 segments`: func(l []string) []string {
			l[first] = strings.Replace(l[first], "deliver server 2", "deliver server 3", 1)
			return l
		},
		`the flags "X."`: func(l []string) []string { l[first] = strings.Replace(l[first], "F.", "X.", 1); return l },
		"x.map:8: column 5 is empty": func(l []string) []string {
			l[first] = strings.Replace(l[first], "| TIME_WAIT |", "|  |", 1)
			return l
		},
		"want the two ways": func(l []string) []string {
			l[first] = strings.Replace(l[first], "clean", "nondeterministic", 1)
			return l
		},
	} {
		_, err := ReadMap(strings.NewReader(strings.Join(spoil(slices.Clone(good)), "\n")), "x.map")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: it says %v", want, err)
		}
	}
}

func FuzzReadMap(f *testing.F) {
	text, err := os.ReadFile("testdata/old.map")
	if err != nil {
		f.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	f.Add(strings.Join(lines[:8], ""))
	f.Add(strings.Join(slices.Concat(lines[:3], lines[4:5], lines[16:18]), ""))
	f.Add("finwait behaviour map 1\nkernel 1 x\narchitecture arm64\nbounds 1 drops, 0 duplicates\n")
	f.Add("finwait behaviour map 1\nkernel 1 x\nbounds 0 drops, 0 duplicates\nexplored a | b | 12.34%\na | b | - | nondeterministic | x; y | z\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ReadMap(strings.NewReader(text), "x")
		if err != nil {
			return
		}
		var out strings.Builder
		if err := m.Write(&out); err != nil || out.String() != unixLines(text) {
			t.Errorf("%q is read and written as %q (%v)", text, out.String(), err)
		}
		m.Groups()
		for _, l := range m.Lines {
			l.Ladder()
		}
		if c, err := CompareMaps(m, m); err != nil || len(c.Changed)+len(c.Appeared)+len(c.Vanished) > 0 {
			t.Errorf("%q differs from itself", text)
		}
	})
}

// unixLines has each line end with a newline.
func unixLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r") + "\n")
	}
	return out.String()
}

// The overtaken FIN is found without being looked for, and nothing else.
func TestTheOvertakenFINComesOut(t *testing.T) {
	groups := mapOf(t, "old", true, Bounds{}).Groups()
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprintf("%s: %s, %d orders, %v, %d choices", g.Outcome, g.Name(), g.Orders, g.Pairs, len(g.Shortest.Order)))
	}
	want := []string{
		"retransmitted: the client's ACK of the FIN overtakes its FIN, 2 orders, [client close, server shutdown client shutdown, server shutdown], 6 choices",
		"retransmitted: the server's ACK of the FIN overtakes its FIN, 2 orders, [client shutdown, server close client shutdown, server shutdown], 6 choices",
	}
	if !slices.Equal(got, want) {
		t.Errorf("it finds\n%s", strings.Join(got, "\n"))
	}
	const ladder = `  close
                                      shutdown
  <------------- F. 1:1(0) ack 1 -------------
  ------------- . 2:2(0) ack 2 -------------->
  ------------- F. 1:1(0) ack 1 ------------->  overtaken by the ACK of the FIN
  <------------- . 2:2(0) ack 1 --------------
retransmitted; the client in CLOSING, the server in FIN_WAIT2
`
	if got := groups[0].Shortest.Ladder(); got != ladder {
		t.Errorf("its ladder is\n%s", got)
	}
	if groups := mapOf(t, "new", false, Bounds{}).Groups(); len(groups) != 0 {
		t.Errorf("a kernel without the fault shows %v", groups)
	}
}

// With faults there are more ways, and each comes down to a short one.
func TestGroupsOfFaults(t *testing.T) {
	m := mapOf(t, "new", false, Bounds{Drops: 1})
	var got []string
	for _, g := range m.Groups() {
		got = append(got, fmt.Sprintf("%s %s", g.Outcome, g.Name()))
		for _, d := range g.Shortest.deviations() {
			if !slices.Contains(g.Deviations, d) {
				t.Errorf("the shortest order of %q also has %q", g.Name(), d)
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"retransmitted the client's ACK of the FIN is lost", "retransmitted the client's FIN is lost",
		"retransmitted the server's ACK of the FIN is lost", "retransmitted the server's FIN is lost",
	}
	if !slices.Equal(got, want) {
		t.Errorf("it finds\n%s", strings.Join(got, "\n"))
	}
}

func TestCompareMaps(t *testing.T) {
	old, fixed := mapOf(t, "old", true, Bounds{}), mapOf(t, "new", false, Bounds{})
	c, err := CompareMaps(old, fixed)
	if err != nil || c.Regressed() || len(c.Unknown) > 0 || len(c.Changed) == 0 {
		t.Fatalf("from old to new: %+v (%v)", c, err)
	}
	for _, d := range c.Changed {
		if d.Baseline.Outcome == d.Candidate.Outcome || !strings.Contains(d.Ladder("old", "new"), "overtaken") {
			t.Errorf("changed:\n%s", d.Ladder("old", "new"))
		}
	}
	if c, err := CompareMaps(fixed, old); err != nil || !c.Regressed() {
		t.Errorf("from new to old: %+v (%v)", c, err)
	}
	if c, err := CompareMaps(old, old); err != nil || len(c.Changed)+len(c.Appeared)+len(c.Vanished)+len(c.Unknown) > 0 {
		t.Errorf("a map differs from itself: %+v (%v)", c, err)
	}
	if _, err := CompareMaps(old, mapOf(t, "new", false, Bounds{Drops: 1})); err == nil || !strings.Contains(err.Error(), "same bounds") {
		t.Errorf("maps with different bounds: %v", err)
	}
}

func TestMapsOfTwoArchitecturesAreNotCompared(t *testing.T) {
	of := func(arch string) *Map { return &Map{Source: "debian/x", Release: "6.1", Arch: arch} }
	for _, c := range []struct{ baseline, candidate, says string }{
		{"", "amd64", ""},
		{"arm64", "arm64", ""},
		{"", "arm64", "debian/x (6.1) is a kernel for amd64, and debian/x (6.1) for arm64: only maps of kernels for one architecture can be compared"},
		{"arm64", "amd64", "debian/x (6.1) is a kernel for arm64, and debian/x (6.1) for amd64: only maps of kernels for one architecture can be compared"},
	} {
		said := ""
		if _, err := CompareMaps(of(c.baseline), of(c.candidate)); err != nil {
			said = err.Error()
		}
		if said != c.says {
			t.Errorf("%q against %q: it says %q", c.candidate, c.baseline, said)
		}
	}
}

func TestCompareMapsThatHaveNotTheSame(t *testing.T) {
	old, other := mapOf(t, "old", true, Bounds{}), mapOf(t, "other", true, Bounds{})
	gone := other.Lines[0]
	other.Lines = other.Lines[1:]
	added := gone
	added.Order = append(slices.Clone(gone.Order), Choice{Deliver, 0, 1})
	added.Outcome = "stuck"
	other.Lines = append(other.Lines, added)
	other.tidy()
	other.Explored[1].Covered = 5000
	other.Explored = slices.Delete(other.Explored, 3, 4)
	c, err := CompareMaps(old, other)
	if err != nil || len(c.Appeared) != 1 || len(c.Vanished) != 1 || len(c.Changed) != 0 || !c.Regressed() {
		t.Fatalf("%+v (%v)", c, err)
	}
	if d := c.Appeared[0]; d.Baseline.key() != gone.key() || d.Common != len(gone.Order) || !strings.Contains(d.Ladder("old", "other"), "only on other") {
		t.Errorf("appeared:\n%s", d.Ladder("old", "other"))
	}
	want := []string{"client shutdown, server shutdown: not explored on other", "client close, server shutdown: only 50.00% of it explored on other"}
	if !slices.Equal(c.Unknown, want) {
		t.Errorf("not known: %q", c.Unknown)
	}
}

func TestSurveyTellsWhatTheMapIsMadeOf(t *testing.T) {
	var pairs []Pair
	for _, c := range names {
		for _, s := range names {
			pairs = append(pairs, Pair{c, s})
		}
	}
	survey := Survey{
		Pairs: pairs, Bounds: Bounds{Drops: 1}, Workers: 2,
		Stage: func(_ context.Context, p Pair) (Stage, error) {
			return &model{calls: [2][]string{{p.Client}, {p.Server}}, old: true}, nil
		},
	}
	var entries []Entry
	tell := func(e Entry) error { entries = append(entries, e); return nil }
	if err := survey.Run(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	got := &Map{Release: "6.0", Source: "a kernel", Drops: 1}
	if err := got.Take(entries); err != nil {
		t.Fatal(err)
	}
	if want := mapOf(t, "a kernel", true, Bounds{Drops: 1}); written(t, got) != written(t, want) {
		t.Errorf("the map is\n%s", written(t, got))
	}
	if len(entries) == 0 || entries[len(entries)-1].Sum == nil || entries[len(entries)-1].Sum.Saved != 37 {
		t.Errorf("the last entry is %+v", entries[len(entries)-1])
	}

	// A kernel that is not the same every time.
	survey.Stage = func(_ context.Context, p Pair) (Stage, error) {
		return &model{calls: [2][]string{{p.Client}, {p.Server}}, moody: 3}, nil
	}
	entries = nil
	if err := survey.Run(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	moody := &Map{Release: "6.0", Source: "moody", Drops: 1}
	if err := moody.Take(entries); err != nil || moody.Complete() {
		t.Fatalf("complete: %v (%v)", moody.Complete(), err)
	}
	if read, err := ReadMap(strings.NewReader(written(t, moody)), "x"); err != nil || written(t, read) != written(t, moody) {
		t.Errorf("it cannot be read back: %v", err)
	}
	if c, err := CompareMaps(got, moody); err != nil || !strings.Contains(strings.Join(c.Unknown, "\n"), "nondeterministic on moody") {
		t.Errorf("not known: %q (%v)", c.Unknown, err)
	}
}

func TestBadEntries(t *testing.T) {
	line := mapOf(t, "a kernel", true, Bounds{}).Lines[0]
	for want, e := range map[string]Entry{
		`an entry of the pair " | "`:    {},
		"with 2 explored":               {Pair: line.Pair, Covered: 2},
		"it has 1 columns":              {Pair: line.Pair, Line: "x"},
		`in an entry of "close | exit"`: {Pair: Pair{"close", "exit"}, Line: line.String()},
	} {
		if err := (&Map{}).Take([]Entry{e}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: it says %v", want, err)
		}
	}
}
