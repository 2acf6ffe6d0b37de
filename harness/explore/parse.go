package explore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/teardown"
)

// ReadMap reads what Write writes, and nothing else. Its errors name the line, by the
// name that is given to the whole.
func ReadMap(r io.Reader, name string) (*Map, error) {
	m := &Map{}
	p := mapParser{m: m}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	number := 0
	for lines.Scan() {
		number++
		if err := p.line(number, lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w:\n%s", name, number, err, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	if !p.bounded {
		return nil, fmt.Errorf("%s:%d: it ends within the header", name, number+1)
	}
	return m, nil
}

// A mapParser is what has been read of a map.
type mapParser struct {
	m       *Map
	bounded bool // the bounds, which end the header, have been read
	last    string
}

func (p *mapParser) line(number int, text string) error {
	arch, isArch := strings.CutPrefix(text, architecture)
	switch {
	case number == 1:
		if text != title {
			return fmt.Errorf("this is no behaviour map that can be read here: it should begin with %q", title)
		}
		return nil
	case number == 2:
		return p.kernel(text)
	case number == 3 && isArch:
		return p.architecture(arch)
	case !p.bounded:
		return p.bounds(text)
	}
	if rest, ok := strings.CutPrefix(text, "explored "); ok && len(p.m.Lines) == 0 {
		return p.explored(text, rest)
	}
	return p.order(text)
}

func (p *mapParser) kernel(text string) error {
	rest, ok := strings.CutPrefix(text, "kernel ")
	release, source, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return errors.New(`want "kernel", its release and its source`)
	}
	p.m.Release, p.m.Source = release, source
	return nil
}

// architecture reads a line that maps did not have when there was one architecture.
func (p *mapParser) architecture(name string) error {
	if !archName.MatchString(name) {
		return errors.New(`want an architecture such as "architecture arm64"`)
	}
	p.m.Arch = name
	return nil
}

// archName is what Go calls an architecture.
var archName = regexp.MustCompile(`^[a-z0-9]+$`)

func (p *mapParser) bounds(text string) error {
	const form = "bounds %d drops, %d duplicates"
	if n, _ := fmt.Sscanf(text, form, &p.m.Drops, &p.m.Duplicates); n != 2 ||
		fmt.Sprintf(form, p.m.Drops, p.m.Duplicates) != text || min(p.m.Drops, p.m.Duplicates) < 0 {
		return errors.New(`want bounds such as "bounds 1 drops, 0 duplicates"`)
	}
	p.bounded = true
	return nil
}

func (p *mapParser) explored(line, rest string) error {
	columns := strings.Split(rest, column)
	if len(columns) != 3 {
		return fmt.Errorf("it has %d columns: want the client's call, the server's, and how far they were explored", len(columns))
	}
	covered, err := parseCovered(columns[2])
	if err != nil {
		return err
	}
	e := Explored{Pair{columns[0], columns[1]}, covered}
	if err := p.follows(e.key()); err != nil {
		return err
	}
	if again := e.String(); again != line {
		return fmt.Errorf("it should be written %q", again)
	}
	p.m.Explored = append(p.m.Explored, e)
	return nil
}

func (p *mapParser) order(line string) error {
	l, err := ParseLine(line)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(p.m.Explored, func(e Explored) bool { return e.Pair == l.Pair }) {
		return fmt.Errorf("the pair %q is not among those explored", l.Pair.key())
	}
	if len(p.m.Lines) == 0 {
		p.last = ""
	}
	p.m.Lines = append(p.m.Lines, l)
	return p.follows(l.key())
}

// ParseLine reads one order as a map has it.
func ParseLine(line string) (Line, error) {
	columns := strings.Split(line, column)
	if len(columns) < 6 {
		return Line{}, fmt.Errorf("it has %d columns, and an order has at least 6", len(columns))
	}
	if i := slices.Index(columns, ""); i >= 0 {
		return Line{}, fmt.Errorf("column %d is empty", i+1)
	}
	l := Line{Pair: Pair{columns[0], columns[1]}, Outcome: teardown.Outcome(columns[3])}
	if columns[2] != none { // before the first choice, an order can but go in two ways
		for _, word := range strings.Split(columns[2], ", ") {
			c, err := ParseChoice(word)
			if err != nil {
				return Line{}, err
			}
			l.Order = append(l.Order, c)
		}
	}
	return l, l.parseEnd(columns[4:])
}

// parseEnd reads what stands behind the outcome.
func (l *Line) parseEnd(rest []string) error {
	switch _, known := ranks[l.Outcome]; {
	case l.Outcome == Nondeterministic && len(rest) == len(l.Ways):
		for i, way := range rest {
			l.Ways[i] = strings.Split(way, list)
		}
		return nil
	case l.Outcome == Nondeterministic:
		return errors.New("want the two ways in which the order went behind its outcome")
	case !known:
		return fmt.Errorf("%q is no outcome of an order", l.Outcome)
	case len(rest) != 4 && len(rest) != 5:
		return fmt.Errorf("it has %d columns behind the outcome: want two states, what each end sent, and what is broken, if anything is", len(rest))
	}
	copy(l.States[:], rest)
	for i, sent := range rest[2:4] {
		if sent != none {
			l.Sent[i] = strings.Split(sent, list)
		}
	}
	if len(rest) == 5 {
		l.Broken = strings.Split(rest[4], list)
	}
	return l.readable()
}

// follows checks that what is sorted by the key comes after what came before.
func (p *mapParser) follows(key string) error {
	switch {
	case key == p.last:
		return errors.New("this was said before")
	case key < p.last:
		return errors.New("it is out of order: the lines are sorted")
	}
	p.last = key
	return nil
}
