package ladder

import (
	"cmp"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A layout is one exchange with a place for everything: time runs down, to scale
// but for the waits that are folded, and stretched where text needs the room. The
// numbers are an SVG's user units.
type layout struct {
	rungs  []rung
	folds  []fold
	height float64
}

// A rung is one event. A segment leaves at one height and arrives at another;
// everything else does both at once.
type rung struct {
	teardown.Event
	// at and left are Event's, counted from the first event.
	at, left time.Duration
	// leaves and arrives are heights. What was lost does not arrive, and its arrives
	// is where it is last drawn.
	leaves, arrives float64
	// above is the text above where it leaves, and end that above where it arrives.
	above, end []row
}

// A row is one line of a rung's text.
type row struct {
	text string
	// isNote tells what is said about a segment from the segment.
	isNote bool
}

// A fold is a wait that is not drawn to scale.
type fold struct {
	from, to    time.Duration
	top, bottom float64
	// cost is the retransmission that was waited for; nil where none was.
	cost *teardown.Retransmission
}

const (
	// lineHeight is a line of text's, and clear the room between a text and what
	// comes before it.
	lineHeight, clear = 12.0, 4.0
	// slant is how much lower than it leaves a segment arrives at least: it shows
	// which way it goes.
	slant = 7.0
	// textColumns is how many characters go between the hosts.
	textColumns = 31
)

// A column is where text can be in the way of other text.
type column int

const (
	clientMargin column = iota
	serverMargin
	between
	columns
)

// A mark is one end of a rung: a moment that has a height.
type mark struct {
	rung    *rung
	at      time.Duration
	arrival bool
}

// lay puts events, which are in order, onto a scale. The event number first, if it
// is one, is not put higher than notAbove.
func lay(events []teardown.Event, s scale, first int, notAbove float64) layout {
	l := layout{rungs: make([]rung, len(events))}
	marks := marksOf(events, l.rungs)
	var filled [columns]float64 // down to there
	y := 0.0
	for i, m := range marks {
		if i > 0 {
			wait := float64(m.at) - float64(marks[i-1].at)
			height := s.height(wait)
			if s.folds(wait) {
				f := fold{from: marks[i-1].at, to: m.at, cost: costOf(l.rungs, marks[i-1].at, m.at)}
				f.top = max(y, slices.Max(filled[:])) + clear
				f.bottom = f.top + height
				l.folds = append(l.folds, f)
				for c := range filled {
					filled[c] = f.bottom
				}
				height = f.bottom - y
			}
			y += height
		}
		y = m.place(y, &filled)
		if first >= 0 && first < len(l.rungs) && m.rung == &l.rungs[first] && m.arrival {
			y = max(y, notAbove)
		}
		m.fill(y, &filled)
	}
	l.height = max(y, slices.Max(filled[:]))
	return l
}

// marksOf are the ends of rungs in the order of time.
func marksOf(events []teardown.Event, rungs []rung) []mark {
	if len(events) == 0 {
		return nil
	}
	begin := events[0].At
	var marks []mark
	for i, e := range events {
		r := &rungs[i]
		r.Event = e
		r.at = e.At - begin
		r.left = r.at
		r.write()
		if e.IsSegment {
			r.left = max(min(e.Left-begin, r.at), 0)
			marks = append(marks, mark{r, r.left, false})
		}
		marks = append(marks, mark{r, r.at, true})
	}
	slices.SortStableFunc(marks, func(a, b mark) int { return cmp.Compare(a.at, b.at) })
	return marks
}

// write breaks a rung's text into lines. What was held says what came of it where it
// arrives, everything else where it leaves: the text there is the segment's own.
func (r *rung) write() {
	if r.IsState {
		return
	}
	name := rows(r.Text, false)
	if !r.IsSegment {
		r.end = name
		return
	}
	r.above = name
	for _, n := range r.Notes {
		if r.detours() {
			r.end = append(r.end, rows(n, true)...)
		} else {
			r.above = append(r.above, rows(n, true)...)
		}
	}
	if r.detours() {
		r.end = append(slices.Clone(name), r.end...)
	}
}

// detours reports whether a segment's way is drawn as one with a stay.
func (r *rung) detours() bool { return r.Overtaken || r.Copy && r.left < r.at }

func rows(text string, isNote bool) []row {
	var out []row
	for _, part := range wrap(text, textColumns) {
		out = append(out, row{part, isNote})
	}
	return out
}

// place finds the least height for a mark that is no higher than y.
func (m mark) place(y float64, filled *[columns]float64) float64 {
	text, r := m.text(), m.rung
	if len(text) > 0 {
		y = max(y, filled[between]+float64(len(text))*lineHeight+clear)
	}
	if m.inMargin() {
		y = max(y, filled[m.margin()]+lineHeight-3)
	}
	if m.arrival && r.IsSegment {
		y = max(y, r.leaves+slant)
	}
	return y
}

// fill gives a mark its height.
func (m mark) fill(y float64, filled *[columns]float64) {
	r := m.rung
	if m.arrival {
		r.arrives = y
	}
	if !m.arrival || !r.IsSegment {
		r.leaves = y
	}
	filled[between] = max(filled[between], y+2)
	if m.inMargin() {
		filled[m.margin()] = y + 3
	}
}

// text is what stands above a mark, between the hosts.
func (m mark) text() []row {
	if m.arrival {
		return m.rung.end
	}
	return m.rung.above
}

// inMargin reports whether a state or a time stands beside a mark.
func (m mark) inMargin() bool { return m.arrival }

// margin is beside the host where it happens, which for a segment that arrived is
// the receiver's.
func (m mark) margin() column {
	if (m.rung.By == segment.Client) != (m.rung.IsSegment && !m.rung.Lost) {
		return clientMargin
	}
	return serverMargin
}

// costOf is the retransmission that a wait was for.
func costOf(rungs []rung, from, to time.Duration) *teardown.Retransmission {
	for _, r := range rungs {
		if a := r.Again; a != nil && r.left >= to && float64(r.left)-float64(a.Delay) <= float64(from)+float64(time.Millisecond) {
			return a
		}
	}
	return nil
}
