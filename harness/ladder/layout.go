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
	// differs is the height of the line above what another exchange has otherwise; 0
	// where there is none.
	differs float64
}

// A rung is one event. A segment leaves at one height and arrives at another;
// everything else does both at once.
type rung struct {
	teardown.Event
	// at, left and since are Event's, counted from the first event.
	at, left, since time.Duration
	// leaves and arrives are heights. What was lost does not arrive, and its arrives
	// is where it is last drawn.
	leaves, arrives float64
	// above is the text above where it leaves, and end that above where it arrives.
	above, end []row
}

// A row is one line of a rung's text.
type row struct {
	text string
	tone tone
}

// A tone is what kind of thing a row says.
type tone int

const (
	plain  tone = iota // the segment or the call itself
	remark             // what is remarkable about it
	costly             // what cost time
)

// A fold is a wait that is not drawn to scale.
type fold struct {
	from, to    time.Duration
	top, bottom float64
	// cost is what was sent again after it, and only then; nil where nothing was. Of
	// several folds with one cost, main is the longest.
	cost *rung
	main bool
}

// lost is the time that a cost took.
func (r *rung) lost() time.Duration { return r.left - r.since }

const (
	// lineHeight is a line of text's, and gap the room between a text and what
	// comes before it.
	lineHeight, gap = 12.0, 4.0
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

// lay puts events, which are in order, onto a scale. A line is drawn above the event
// number first, if it is one, and not higher than notAbove.
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
				height = max(height, f.room())
				f.top = max(y, slices.Max(filled[:])) + gap
				f.bottom = f.top + height
				l.folds = append(l.folds, f)
				for c := range filled {
					filled[c] = f.bottom
				}
				height = f.bottom - y
			}
			y += height
		}
		if m.opens(l.rungs, first) {
			l.differs = max(y, slices.Max(filled[:])+lineHeight+2*gap, notAbove)
			y = l.differs
			for c := range filled {
				filled[c] = y
			}
		}
		y = m.place(y, &filled)
		m.fill(y, &filled)
	}
	l.height = max(y, slices.Max(filled[:]))
	for i := range l.folds {
		l.folds[i].main = l.folds[i].cost != nil && !slices.ContainsFunc(l.folds, l.folds[i].isMinorTo)
	}
	return l
}

// room is what a fold's text needs.
func (f fold) room() float64 {
	if f.cost == nil {
		return lineHeight + gap
	}
	return 3*lineHeight + gap
}

// isMinorTo reports whether another fold is a longer part of the same cost.
func (f fold) isMinorTo(other fold) bool {
	return other.cost == f.cost && (other.to-other.from > f.to-f.from || other.to-other.from == f.to-f.from && other.from < f.from)
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
		if e.IsSegment {
			r.left = max(min(e.Left-begin, r.at), 0)
		}
		if e.Again != nil {
			r.since = max(min(e.Since-begin, r.left), 0)
		}
		r.write()
		if e.IsSegment {
			marks = append(marks, mark{r, r.left, false})
		}
		marks = append(marks, mark{r, r.at, true})
	}
	slices.SortStableFunc(marks, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.waits(), a.waits()))
	})
	return marks
}

// waits is 1 for the departure of what will be overtaken, and otherwise 0: where only
// what overtook it tells when it was made, it was made before that.
func (m mark) waits() int {
	if m.rung.Overtaken && !m.arrival {
		return 1
	}
	return 0
}

// write breaks a rung's text into rows. What was held says what came of it where it
// arrives, everything else where it leaves.
func (r *rung) write() {
	if r.IsState {
		return
	}
	name := rows(r.Text, plain)
	if !r.IsSegment {
		r.end = name
		return
	}
	var notes []row
	for _, n := range notesOf(r.Event) {
		notes = append(notes, rows(n.text, n.tone)...)
	}
	switch all := slices.Concat(name, notes); {
	case !r.detours():
		r.above = all
	case r.Copy: // it leaves with the first
		r.end = all
	default:
		r.above, r.end = slices.Concat(name, rows("held for "+inShort(r.at-r.left), remark)), all
	}
}

// notesOf are an event's notes, each once, and what kind of thing they say.
func notesOf(e teardown.Event) []row {
	var out []row
	for i, n := range e.Notes {
		if i > 0 && n == e.Notes[i-1] {
			continue
		}
		of := remark
		if e.Again != nil && i == 0 || e.Dropped && i == len(e.Notes)-1 {
			of = costly
		}
		out = append(out, row{n, of})
	}
	return out
}

// detours reports whether a segment's way is drawn as one with a stay.
func (r *rung) detours() bool { return r.Overtaken || r.Copy && r.left < r.at }

func rows(text string, of tone) []row {
	var out []row
	for _, part := range wrap(text, textColumns) {
		out = append(out, row{part, of})
	}
	return out
}

// opens reports whether a mark is the first of the rung with that number, but for the
// departure of what was held: it is the arrival that differs.
func (m mark) opens(rungs []rung, number int) bool {
	return number >= 0 && m.rung == &rungs[number] && (m.arrival == (!m.rung.IsSegment || m.rung.detours()))
}

// place finds the least height for a mark that is no higher than y.
func (m mark) place(y float64, filled *[columns]float64) float64 {
	text, r := m.text(), m.rung
	if len(text) > 0 {
		y = max(y, filled[between]+float64(len(text))*lineHeight+gap+m.raised())
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

// raised is how much higher than a mark its text stands: a segment that was held comes
// from above.
func (m mark) raised() float64 {
	if m.arrival && m.rung.detours() {
		return slant
	}
	return 0
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

// costOf is what was sent again after a wait, and for the wait.
func costOf(rungs []rung, from, to time.Duration) *rung {
	for i := range rungs {
		if r := &rungs[i]; r.Again != nil && r.since <= from && to <= r.left {
			return r
		}
	}
	return nil
}
