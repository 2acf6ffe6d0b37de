package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/finwait/finwait/harness/segment"
)

// An Act is what is done.
type Act int

// The acts.
const (
	// Call makes the next call that is pending at a side.
	Call Act = iota
	// Deliver hands a segment that the wire holds to its receiver.
	Deliver
	// Drop takes a segment off the wire: nobody gets to know.
	Drop
	// Duplicate delivers a segment and leaves a copy of it on the wire, which has
	// the same number and can be delivered, dropped or duplicated in its turn.
	Duplicate
)

var acts = [...]string{Call: "call", Deliver: "deliver", Drop: "drop", Duplicate: "duplicate"}

// String is the act as a choice has it.
func (a Act) String() string { return acts[a] }

// A Choice is one thing that can happen next. It is the same choice whenever the
// same thing is possible after the same choices.
type Choice struct {
	Act Act
	// Side is the caller, or the sender of the segment.
	Side segment.Side
	// Number is the segment's among those that its sender sent since the calls
	// may begin, from 1 on, in the order in which it sent them; 0 for a call.
	Number int
}

// String is "call server" or "deliver client 2", which is the client's second
// segment.
func (c Choice) String() string {
	if c.Act == Call {
		return fmt.Sprintf("%v %v", c.Act, c.Side)
	}
	return fmt.Sprintf("%v %v %d", c.Act, c.Side, c.Number)
}

// ParseChoice reads what String writes.
func ParseChoice(text string) (Choice, error) {
	words := strings.Split(text, " ")
	act := slices.Index(acts[:], words[0])
	if act < 0 {
		return Choice{}, fmt.Errorf("choice %q: it should begin with one of %s", text, strings.Join(acts[:], ", "))
	}
	c := Choice{Act: Act(act)}
	if want := map[bool]int{true: 2, false: 3}[c.Act == Call]; len(words) != want {
		return Choice{}, fmt.Errorf("choice %q: want %d words such as in %q", text, want, c.example())
	}
	if err := c.Side.UnmarshalText([]byte(words[1])); err != nil {
		return Choice{}, fmt.Errorf("choice %q: %w", text, err)
	}
	if c.Act == Call {
		return c, nil
	}
	number, err := strconv.Atoi(words[2])
	if err != nil || number < 1 || words[2] != strconv.Itoa(number) {
		return Choice{}, fmt.Errorf("choice %q: %q should be the number of a segment, from 1 on", text, words[2])
	}
	c.Number = number
	return c, nil
}

func (c Choice) example() Choice {
	if c.Act != Call {
		c.Number = 1
	}
	return c
}

// Compare orders choices: calls before deliveries, deliveries before faults, the
// client's before the server's, early segments before late ones.
func (c Choice) Compare(d Choice) int {
	return cmp.Or(cmp.Compare(c.Act, d.Act), cmp.Compare(c.Side, d.Side), cmp.Compare(c.Number, d.Number))
}
