package pcapng

import (
	"fmt"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A place is one frame of one tap.
type place struct {
	tap  segment.Side
	sent bool
	at   time.Duration
	text string
}

// comments are what is remarkable, by the frame that a ladder draws: the one that
// arrived, or of what did not arrive the one that left.
type comments struct {
	numbering segment.Numbering
	notes     map[place][]string
}

// commentsOf takes the comments from the timeline's notes.
func commentsOf(t *teardown.Trial) comments {
	c := comments{notes: map[place][]string{}}
	if numbering, ok := t.Exchange.Numbering(); ok {
		c.numbering = numbering // else the timeline has the numbers as they are on the wire
	}
	for _, e := range t.Timeline() {
		if !e.IsSegment {
			continue
		}
		notes := e.Notes
		p := place{tap: e.By.Peer(), at: e.At, text: e.Text}
		if e.Lost {
			p.tap, p.sent = e.By, true
			notes = append([]string{fmt.Sprintf("the %v's tap did not see it", e.By.Peer())}, notes...)
		}
		for _, note := range notes {
			c.notes[p] = append(c.notes[p], option(note))
		}
	}
	return c
}

// on are the comments on what a tap saw.
func (c comments) on(tap segment.Side, seen segment.Sighting) []string {
	return c.notes[place{tap, seen.Sent, seen.At, c.numbering.Relative(seen.Segment).String()}]
}
