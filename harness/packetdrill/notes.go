package packetdrill

import (
	"slices"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// notes are what a ladder says beside the segments of one tap.
type notes struct {
	numbering segment.Numbering
	side      segment.Side
	rest      []teardown.Event
}

func (s *script) notes(numbering segment.Numbering) *notes {
	n := &notes{numbering: numbering, side: s.side}
	for _, e := range s.trial.Timeline() {
		if e.IsSegment && (!e.Lost || e.By == s.side) {
			n.rest = append(n.rest, e)
		}
	}
	return n
}

// take returns what is to be said of a segment. Of those that repeat one another to the
// letter, the first that left is the first that is asked for.
func (n *notes) take(seen segment.Sighting) []string {
	by := n.side.Peer()
	if seen.Sent {
		by = n.side
	}
	text := n.numbering.Relative(seen.Segment).String()
	i := slices.IndexFunc(n.rest, func(e teardown.Event) bool {
		return e.By == by && e.Text == text && (seen.Sent || e.At == seen.At)
	})
	if i < 0 {
		return nil
	}
	found := n.rest[i].Notes
	n.rest = slices.Delete(n.rest, i, i+1)
	return found
}
