package segment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Selector picks segments of one connection by what they are to it. It is
// written as words:
//
//	SIDE KIND [N]
//
// SIDE is the sender, client or server, and KIND a Kind. N picks the N-th such
// segment from the connection's beginning instead of each of them: "client fin
// 2" is the client's second FIN.
type Selector struct {
	side   Side
	kind   Kind
	number int // 0 is any
}

// ParseSelector reads a selector. Its error shows where the text goes wrong.
func ParseSelector(text string) (Selector, error) {
	var sel Selector
	parts := strings.Fields(text)
	wrong := func(i int, want string) (Selector, error) {
		if i >= len(parts) {
			return Selector{}, fmt.Errorf("selector %q ends where %s should follow", text, want)
		}
		return Selector{}, fmt.Errorf("selector %q: %q (word %d) should be %s", text, parts[i], i+1, want)
	}
	if len(parts) == 0 || sel.side.UnmarshalText([]byte(parts[0])) != nil {
		return wrong(0, "client or server")
	}
	if len(parts) < 2 || !slices.Contains(selectable, Kind(parts[1])) {
		return wrong(1, "one of "+words(selectable))
	}
	sel.kind = Kind(parts[1])
	if len(parts) > 2 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return wrong(2, "a number from 1 on, or nothing")
		}
		sel.number = n
	}
	if len(parts) > 3 {
		return wrong(3, "the end")
	}
	return sel, nil
}

// selectable are the kinds that a selector may name.
var selectable = slices.Concat(kinds, remembered)

func words(kinds []Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

// String is the text that ParseSelector reads as the selector.
func (sel Selector) String() string {
	text := sel.side.String() + " " + string(sel.kind)
	if sel.number > 0 {
		text += " " + strconv.Itoa(sel.number)
	}
	return text
}

// Side is the sender of what the selector picks.
func (sel Selector) Side() Side { return sel.side }

// Number is which of its kind the selector picks, counted from 1; 0 is each of them.
func (sel Selector) Number() int { return sel.number }
