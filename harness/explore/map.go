package explore

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Map is how a kernel behaves in every order: its text has a line an order, and the
// same behaviour always has the same text.
type Map struct {
	// Release is the kernel's, and Source where it came from, such as
	// "debian/bullseye".
	Release, Source string
	// Arch is the architecture that it is for, such as "arm64"; empty in a map that does
	// not tell, which is of amd64.
	Arch string
	// Drops and Duplicates are the bounds.
	Drops, Duplicates int
	// Explored are the pairs of calls, and Lines what was found of all of them.
	Explored []Explored
	Lines    []Line
}

// A Pair is what the client calls and what the server does.
type Pair struct{ Client, Server string }

// String is "client close, server shutdown(SHUT_WR)".
func (p Pair) String() string { return "client " + p.Client + ", server " + p.Server }

// Explored is how far a pair was explored.
type Explored struct {
	Pair
	// Covered is the share of its space, in hundredths of a per cent, rounded down:
	// 10000 is all of it.
	Covered int
}

// A Line is one order, which stands for those that are equivalent to it.
type Line struct {
	Pair
	Order   []Choice
	Outcome teardown.Outcome
	// States are the ends' last states.
	States [2]string
	// Sent are the segments that each end sent, in packetdrill's notation.
	Sent [2][]string
	// Broken are the invariants that the order breaks.
	Broken []string
	// Ways are what happened, where the order, or what began with it, did not
	// go the same way twice; the outcome is then Nondeterministic.
	Ways [2][]string
}

// Nondeterministic is the outcome of an order that was played twice and went in two
// ways.
const Nondeterministic teardown.Outcome = "nondeterministic"

// Add takes up what was found of a pair. Equivalent orders become one line.
func (m *Map) Add(p Pair, x *Exploration) {
	m.Explored = append(m.Explored, Explored{p, int(x.Covered * whole)})
	for _, o := range x.Orders {
		m.Lines = append(m.Lines, lineOf(p, o.Canonical()))
	}
	for _, n := range x.Nondeterministic {
		m.Lines = append(m.Lines, n.line(p))
	}
	m.tidy()
}

// tidy sorts the map. Of several lines of one order it keeps the last, or one that says
// that it went in two ways.
func (m *Map) tidy() {
	slices.SortFunc(m.Explored, func(a, b Explored) int { return strings.Compare(a.key(), b.key()) })
	slices.SortStableFunc(m.Lines, func(a, b Line) int { return strings.Compare(a.key(), b.key()) })
	kept := m.Lines[:0]
	for _, l := range m.Lines {
		switch last := len(kept) - 1; {
		case last < 0 || kept[last].key() != l.key():
			kept = append(kept, l)
		case kept[last].Outcome != Nondeterministic:
			kept[last] = l
		}
	}
	m.Lines = kept
}

// line is what the map has of an order that went in two ways.
func (n Nondeterminism) line(p Pair) Line {
	return Line{Pair: p, Order: n.Order, Outcome: Nondeterministic, Ways: [2][]string{plain(n.First), plain(n.Again)}}
}

func lineOf(p Pair, o Order) Line {
	l := Line{Pair: p, Order: o.Choices(), Outcome: o.Result.Outcome, Broken: plain(o.Result.Broken)}
	for _, s := range segment.Sides {
		l.States[s] = o.Result.States[s]
		for _, e := range o.sent(s) {
			l.Sent[s] = append(l.Sent[s], e.Text)
		}
	}
	return l
}

// plain takes out of free text what separates the parts of a line.
func plain(texts []string) []string {
	out := slices.Clone(texts)
	for i := range out {
		out[i] = strings.NewReplacer(column, " / ", list, ", ", "\n", " ").Replace(out[i])
	}
	return out
}

// Complete reports whether every pair was explored as far as the bounds allow.
func (m *Map) Complete() bool {
	return !slices.ContainsFunc(m.Explored, func(e Explored) bool { return e.Covered != whole })
}

// The text of a map.
const (
	title  = "finwait behaviour map 1"
	column = " | "
	list   = "; "
	whole  = 10000
	none   = "-"

	architecture = "architecture "
)

// Write writes the map's text.
func (m *Map) Write(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\nkernel %s %s\n", title, m.Release, m.Source)
	if m.Arch != "" {
		fmt.Fprintf(&out, "%s%s\n", architecture, m.Arch)
	}
	fmt.Fprintf(&out, "bounds %d drops, %d duplicates\n", m.Drops, m.Duplicates)
	for _, e := range m.Explored {
		fmt.Fprintln(&out, e)
	}
	for _, l := range m.Lines {
		fmt.Fprintln(&out, l)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// key is what a map is sorted by.
func (p Pair) key() string { return p.Client + column + p.Server }

// String is the map's line that says how far a pair was explored.
func (e Explored) String() string {
	return fmt.Sprintf("explored %s%s%d.%02d%%", e.key(), column, e.Covered/100, e.Covered%100)
}

func (l Line) key() string {
	order := none
	if len(l.Order) > 0 {
		order = text(l.Order)
	}
	return l.Pair.key() + column + order
}

// String is the line's text.
func (l Line) String() string {
	columns := []string{l.key(), string(l.Outcome)}
	if l.Outcome == Nondeterministic {
		return strings.Join(append(columns, strings.Join(l.Ways[0], list), strings.Join(l.Ways[1], list)), column)
	}
	columns = append(columns, l.States[:]...)
	for _, sent := range l.Sent {
		if len(sent) == 0 {
			sent = []string{none}
		}
		columns = append(columns, strings.Join(sent, list))
	}
	if len(l.Broken) > 0 {
		columns = append(columns, strings.Join(l.Broken, list))
	}
	return strings.Join(columns, column)
}

func parseCovered(text string) (int, error) {
	covered, err := strconv.Atoi(strings.Replace(strings.TrimSuffix(text, "%"), ".", "", 1))
	if err != nil || covered < 0 || covered > whole {
		return 0, fmt.Errorf("%q should be a share such as 100.00%%", text)
	}
	return covered, nil
}

// Summary says how far a pair was explored and how its orders end: "client close(),
// server close(): 7 orders (100.00% explored), 5 clean, 2 retransmitted".
func (m *Map) Summary(e Explored) string {
	count := map[teardown.Outcome]int{}
	orders := 0
	for _, l := range m.Lines {
		if l.Pair == e.Pair {
			count[l.Outcome]++
			orders++
		}
	}
	out := fmt.Sprintf("%v: %d orders (%d.%02d%% explored)", e.Pair, orders, e.Covered/100, e.Covered%100)
	for _, outcome := range []teardown.Outcome{teardown.Clean, teardown.Retransmitted, teardown.Reset, teardown.Stuck, Nondeterministic} {
		if n := count[outcome]; n > 0 {
			out += fmt.Sprintf(", %d %s", n, outcome)
		}
	}
	return out
}
