package explore

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/segment"
)

// An Order is one execution from the first choice to the last.
type Order struct {
	// Opening are the segments that are on the wire when it begins.
	Opening []Enabled
	Moves   []Move
	Result  Result
}

// A Move is a choice that was made.
type Move struct {
	Enabled
	// Sent are the segments that were sent in answer, as the deliveries that it
	// made possible.
	Sent []Enabled
}

// Choices are the order's, in order.
func (o Order) Choices() []Choice {
	choices := make([]Choice, len(o.Moves))
	for i, m := range o.Moves {
		choices[i] = m.Choice
	}
	return choices
}

// Trace is the order in words, a line a move.
func (o Order) Trace() []string {
	lines := make([]string, len(o.Moves))
	for i, m := range o.Moves {
		lines[i] = m.String()
	}
	return lines
}

// String is "deliver client 1 (F. 1:1(0) ack 1): server 2 (. 2:2(0) ack 2)".
func (m Move) String() string {
	var out strings.Builder
	out.WriteString(m.Choice.String() + " (" + m.Text + ")")
	for i, s := range m.Sent {
		out.WriteString([]string{": ", ", "}[min(i, 1)])
		out.WriteString(strings.TrimPrefix(s.Choice.String(), Deliver.String()+" ") + " (" + s.Text + ")")
	}
	return out.String()
}

// History is what an end has noticed of the order and how it answered, to its last
// state. Two orders with the same histories at both ends are one to everybody.
func (o Order) History(s segment.Side) string {
	var lines []string
	for _, m := range o.Moves {
		if m.Choice.Act != Drop && m.Choice.end() == s {
			lines = append(lines, m.String())
		}
	}
	return strings.Join(append(lines, o.Result.States[s]), "\n")
}

// Canonical is the order that stands for all that are equivalent to this one: the
// first of them by [Choice.Compare], choice by choice.
func (o Order) Canonical() Order {
	after := o.after()
	moves := make([]Move, 0, len(o.Moves))
	var made uint64
	for range o.Moves {
		next := -1
		for i, m := range o.Moves {
			if made>>i&1 == 0 && after[i]&^made == 0 && (next < 0 || m.Choice.Compare(o.Moves[next].Choice) < 0) {
				next = i
			}
		}
		made |= 1 << next
		moves = append(moves, o.Moves[next])
	}
	o.Moves = moves
	return o
}

// Equivalents is how many orders are equivalent to this one, itself included: the
// linear extensions of what has to come before what.
func (o Order) Equivalents() uint64 {
	after := o.after()
	all := uint64(1)<<len(o.Moves) - 1
	counted := map[uint64]uint64{all: 1}
	var count func(made uint64) uint64
	count = func(made uint64) uint64 {
		if n, ok := counted[made]; ok {
			return n
		}
		var n uint64
		for rest := all &^ made; rest != 0; rest &= rest - 1 {
			if i := bits.TrailingZeros64(rest); after[i]&^made == 0 {
				n += count(made | 1<<i)
			}
		}
		counted[made] = n
		return n
	}
	return count(0)
}

// after says of each move which earlier ones it has to come after, a bit each: those
// that it is not independent of, and the one that sent its segment.
func (o Order) after() []uint64 {
	after := make([]uint64, len(o.Moves))
	for j, m := range o.Moves {
		for i, earlier := range o.Moves[:j] {
			sent := slices.ContainsFunc(earlier.Sent, func(e Enabled) bool { return e.Choice.sameSegment(m.Choice) })
			if sent || !independent(earlier.Choice, m.Choice) {
				after[j] |= 1 << i
			}
		}
	}
	return after
}

func compareOrders(a, b Order) int {
	return slices.CompareFunc(a.Moves, b.Moves, func(m, n Move) int { return m.Choice.Compare(n.Choice) })
}
