package teardown

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

func TestMadeBefore(t *testing.T) {
	at := func(seq, ack, ts uint32) segment.Segment {
		return segment.Segment{Seq: seq, Ack: ack, Flags: segment.ACK, Options: segment.Options{TSVal: ts, HasTimestamps: ts != 0}}
	}
	for _, c := range []struct {
		name string
		a, b segment.Segment
		want bool
	}{
		{"sequence", at(1, 5, 0), at(2, 5, 0), true},
		{"sequence, the other way", at(2, 5, 0), at(1, 5, 0), false},
		{"acknowledgement alone", at(1, 5, 0), at(1, 6, 0), true},
		{"acknowledgement, the other way", at(1, 6, 0), at(1, 5, 0), false},
		{"one forward, one back", at(1, 6, 0), at(2, 5, 0), false},
		{"the same", at(1, 5, 7), at(1, 5, 7), false},
		{"timestamps agree", at(1, 5, 7), at(2, 5, 8), true},
		{"timestamps disagree", at(1, 5, 9), at(2, 5, 8), false},
		{"around zero", at(0xffffffff, 5, 0), at(1, 5, 0), true},
	} {
		if got := madeBefore(c.a, c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// One segment can repeat what two have held; a segment that holds a new octet
// repeats nothing.
func TestRepetitionsOfSeveralSegments(t *testing.T) {
	for name, c := range map[string]struct {
		length, want int
	}{"both": {200, 1}, "and an octet more": {201, 0}} {
		x := build(
			sent{from: segment.Client, left: 101, arrived: lost, flags: ack, seq: 4416, length: 100, ack: 753},
			sent{from: segment.Client, left: 110, arrived: lost, flags: ack, seq: 4516, length: 100, ack: 753},
			sent{from: segment.Client, left: 130, arrived: 130, flags: ack, seq: 4416, length: c.length, ack: 753},
		)
		got := x.repetitions(segment.Client)
		if len(got) != c.want || c.want == 1 && got[0].earlier.At != 110*time.Millisecond {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Segments that look just like each other: which of them were lost, and which
// arrived more often than they left.
func TestTimelineTellsCopiesApart(t *testing.T) {
	copyOf := func(left, arrived int) sent {
		return sent{from: segment.Client, left: left, arrived: arrived, flags: fin, seq: 4416, ack: 753}
	}
	for name, c := range map[string]struct {
		copies []sent
		again  int // when it arrives once more; 0 is never
		want   string
	}{
		"the first is lost":                  {[]sent{copyOf(101, lost), copyOf(305, 306)}, 0, "lost at 101, arrives at 306"},
		"the second leaves before either is": {[]sent{copyOf(101, 310), copyOf(305, 320)}, 0, "arrives at 310, arrives at 320"},
		"three on their way":                 {[]sent{copyOf(101, 310), copyOf(102, 320), copyOf(103, 330)}, 0, "arrives at 310, arrives at 320, arrives at 330"},
		"the second is lost":                 {[]sent{copyOf(101, 102), copyOf(305, lost)}, 0, "arrives at 102, lost at 305"},
		"one of two, which have both left":   {[]sent{copyOf(101, lost), copyOf(105, 310)}, 0, "lost at 101, arrives at 310"},
		"it arrives twice":                   {[]sent{copyOf(101, 102)}, 103, "arrives at 102, arrives at 103 again"},
		"it arrives twice after both left":   {[]sent{copyOf(101, 310), copyOf(305, 320)}, 330, "arrives at 310, arrives at 320, arrives at 330 again"},
	} {
		x := build(c.copies...)
		if c.again > 0 {
			x.see(segment.Server, c.again, false, x.Client.Sightings[len(x.Client.Sightings)-1].Segment)
		}
		trial := Judge(x)
		var got []string
		for _, e := range trial.Timeline() {
			text := fmt.Sprintf("arrives at %d", e.At.Milliseconds())
			switch {
			case !e.IsSegment:
				continue
			case e.Lost:
				text = fmt.Sprintf("lost at %d", e.At.Milliseconds())
			case slices.Contains(e.Notes, "arrives again"):
				text += " again"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// Where a FIN overtakes data in the sender's own qdisc, the sender's tap sees
// the data second, but not again.
func TestOvertakenDataIsNotSentAgain(t *testing.T) {
	x := build(
		sent{from: segment.Client, left: 101, arrived: 101, flags: fin, seq: 4516, ack: 753},
		sent{from: segment.Client, left: 102, arrived: 102, flags: ack, seq: 4416, length: 100, ack: 753},
		sent{from: segment.Server, left: 103, arrived: 103, flags: fin, seq: 753, ack: 4517},
		sent{from: segment.Client, left: 104, arrived: 104, flags: ack, seq: 4517, ack: 754},
	)
	x.Asked = []Overtaking{{From: segment.Client, Fast: segment.KindFIN, Slow: segment.KindData}}
	expectOutcome(t, Judge(x), Clean)
}

// An order that was neither asked for nor permitted is told of once, however often it is
// seen; one that is permitted need not be seen.
func TestOrdersBesidesThoseAskedFor(t *testing.T) {
	ackOvertakesFIN := Overtaking{From: segment.Server, Fast: segment.KindACK, Slow: segment.KindFIN}
	never := Overtaking{From: segment.Server, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}
	for _, c := range []struct {
		asked, permitted []Overtaking
		doubts           int
	}{
		{nil, nil, 1},
		{nil, []Overtaking{ackOvertakesFIN, never}, 0},
		{[]Overtaking{ackOvertakesFIN}, nil, 0},
		{[]Overtaking{ackOvertakesFIN, never}, nil, 1},
	} {
		x := &Exchange{Asked: c.asked, Permitted: c.permitted}
		trial := Trial{Overtook: []Sequence{{Overtaking: ackOvertakesFIN}, {Overtaking: ackOvertakesFIN}}}
		trial.holdAgainstAsked(x)
		if len(trial.Why) != c.doubts {
			t.Errorf("asked %v, permitted %v: it doubts %q, want %d doubts", c.asked, c.permitted, trial.Why, c.doubts)
		}
	}
}
