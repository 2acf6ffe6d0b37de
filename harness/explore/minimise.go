package explore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Deviation is one way in which an order is not what a quiet network makes of the
// calls: "the client's ACK of the FIN overtakes its FIN", "the server's FIN is lost".
type Deviation string

// Inorder is the name of what happens though every segment arrives once, and in the
// order in which it was sent.
const Inorder = "with every segment in order"

// A Group is what several orders have in common that do not end well.
type Group struct {
	Outcome teardown.Outcome
	// Deviations are what it takes.
	Deviations []Deviation
	// Shortest shows it with the fewest choices.
	Shortest Line
	// Orders is how many do, and Pairs in which pairs of calls.
	Orders int
	Pairs  []Pair
}

// Name says what happens: its deviations, or that there are none.
func (g Group) Name() string {
	if len(g.Deviations) == 0 {
		return Inorder
	}
	words := make([]string, len(g.Deviations))
	for i, d := range g.Deviations {
		words[i] = string(d)
	}
	return strings.Join(words, " and ")
}

// Groups reduces every order that does not end clean to the shortest that shows the
// same: the same outcome, with the same calls, and no deviation that the longer order
// does not have as well. As the map has every order, that is a matter of looking them
// up. Orders that come down to the same deviations are one group, whatever the calls.
// The groups with the most orders come first.
func (m *Map) Groups() []Group {
	type kind struct {
		Pair
		teardown.Outcome
	}
	alike := map[kind][]deviant{}
	for _, l := range m.Lines {
		if l.Outcome != teardown.Clean && l.Outcome != Nondeterministic {
			k := kind{l.Pair, l.Outcome}
			alike[k] = append(alike[k], deviant{l, l.deviations()})
		}
	}
	groups := map[string]*Group{}
	for _, same := range alike {
		slices.SortFunc(same, deviant.compare)
		for _, d := range same {
			least := same[slices.IndexFunc(same, d.needs)]
			g := Group{Outcome: d.Outcome, Deviations: least.deviations, Shortest: least.Line}
			id := string(g.Outcome) + list + g.Name()
			if groups[id] == nil {
				groups[id] = &g
			}
			known := groups[id]
			known.Orders++
			if !slices.Contains(known.Pairs, d.Pair) {
				known.Pairs = append(known.Pairs, d.Pair)
			}
			if (deviant{g.Shortest, least.deviations}).compare(deviant{known.Shortest, least.deviations}) < 0 {
				known.Shortest = g.Shortest
			}
		}
	}
	var sorted []Group
	for _, g := range groups {
		slices.SortFunc(g.Pairs, func(p, q Pair) int { return strings.Compare(p.key(), q.key()) })
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(g, h Group) int {
		return cmp.Or(cmp.Compare(h.Orders, g.Orders), cmp.Compare(g.Outcome, h.Outcome), cmp.Compare(g.Name(), h.Name()))
	})
	return sorted
}

// A deviant is an order that did not end well, and how it deviates.
type deviant struct {
	Line
	deviations []Deviation
}

// compare orders them by what it takes to show something: the fewest deviations, then
// the fewest choices.
func (d deviant) compare(e deviant) int {
	return cmp.Or(cmp.Compare(len(d.deviations), len(e.deviations)), cmp.Compare(len(d.Order), len(e.Order)), strings.Compare(d.key(), e.key()))
}

// needs reports whether every deviation of less is one of d's: d then comes down to it.
func (d deviant) needs(less deviant) bool {
	return !slices.ContainsFunc(less.deviations, func(v Deviation) bool { return !slices.Contains(d.deviations, v) })
}

// deviations are the line's, sorted, each once.
func (l Line) deviations() []Deviation {
	found := map[Deviation]bool{}
	var arrived [2][]int
	for i, c := range l.Order {
		switch {
		case c.Act == Drop && !slices.Contains(arrived[c.Side], c.Number):
			found[Deviation(fmt.Sprintf("the %v's %v is lost", c.Side, l.kind(c)))] = true
		case c.Act == Duplicate && slices.ContainsFunc(l.Order[i+1:], Choice{Deliver, c.Side, c.Number}.equal):
			found[Deviation(fmt.Sprintf("the %v's %v arrives again", c.Side, l.kind(c)))] = true
		}
		if c.Act == Deliver || c.Act == Duplicate {
			for _, before := range arrived[c.Side] {
				if before > c.Number && !slices.Contains(arrived[c.Side], c.Number) {
					fast := Choice{Deliver, c.Side, before}
					found[Deviation(teardown.Overtaking{From: c.Side, Fast: l.kind(fast), Slow: l.kind(c)}.String())] = true
				}
			}
			arrived[c.Side] = append(arrived[c.Side], c.Number)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (c Choice) equal(d Choice) bool { return c == d }

// kind is what the segment that a choice is about is to the teardown.
func (l Line) kind(c Choice) segment.Kind {
	s, _ := segment.Parse(l.notation(c)) // readable, as every line is
	var peerFIN *uint32
	for _, sent := range l.Sent[c.Side.Peer()] {
		if fin, _ := segment.Parse(sent); peerFIN == nil && fin.Flags.Has(segment.FIN) {
			end := fin.End()
			peerFIN = &end
		}
	}
	return s.Kind(peerFIN)
}

// notation is the segment that a choice is about, as it was sent.
func (l Line) notation(c Choice) string { return l.Sent[c.Side][c.Number-1] }

// readable checks that the line has what it needs to be understood: each segment that
// a choice is about, in packetdrill's notation.
func (l Line) readable() error {
	for _, sent := range l.Sent {
		for _, s := range sent {
			if _, err := segment.Parse(s); err != nil {
				return err
			}
		}
	}
	for _, c := range l.Order {
		if c.Act != Call && c.Number > len(l.Sent[c.Side]) {
			return fmt.Errorf("%q: the %v sent %d segments", c, c.Side, len(l.Sent[c.Side]))
		}
	}
	return nil
}
