package ladder

import (
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// firstDifference finds the first event of each of two exchanges that the other has
// not. Only the order of the same end's states, and that of the segments that arrive
// at it, are compared: which of two ends is quicker by a microsecond differs from one
// run to the next. Where one exchange only goes on longer than the other, its
// counterpart is -1, as both are where they are the same.
func firstDifference(a, b []teardown.Event) (inA, inB int) {
	inA, inB = -1, -1
	for _, side := range segment.Sides {
		for _, stream := range []func(teardown.Event) bool{
			func(e teardown.Event) bool { return e.IsState && e.By == side },
			func(e teardown.Event) bool { return e.IsSegment && e.By == side },
		} {
			i, j := firstOf(a, b, stream)
			earlier := func(events []teardown.Event, n, than int) bool {
				return n >= 0 && (than < 0 || events[n].At < events[than].At)
			}
			switch {
			case i < 0 && j < 0:
			case inA < 0 && inB < 0, earlier(a, i, inA), inA < 0 && earlier(b, j, inB):
				inA, inB = i, j
			}
		}
	}
	return inA, inB
}

// firstOf is where one stream of events differs.
func firstOf(a, b []teardown.Event, in func(teardown.Event) bool) (i, j int) {
	next := func(events []teardown.Event, i int) int {
		for ; i < len(events); i++ {
			if in(events[i]) {
				return i
			}
		}
		return -1
	}
	for i, j = next(a, 0), next(b, 0); i >= 0 && j >= 0; i, j = next(a, i+1), next(b, j+1) {
		if a[i].Text != b[j].Text || a[i].Lost != b[j].Lost || a[i].Dropped != b[j].Dropped {
			return i, j
		}
	}
	return i, j
}
