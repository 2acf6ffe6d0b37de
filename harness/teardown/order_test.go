package teardown

import (
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

// A segment that was lost, and its repetition that looks just like it.
func TestTimelineTellsCopiesApart(t *testing.T) {
	trial := Judge(build(
		sent{from: segment.Client, left: 101, arrived: lost, flags: fin, seq: 4416, ack: 753},
		sent{from: segment.Client, left: 305, arrived: 306, flags: fin, seq: 4416, ack: 753},
	))
	var got []bool
	for _, e := range trial.Timeline() {
		if e.IsSegment {
			got = append(got, e.Lost)
		}
	}
	if len(got) != 2 || !got[0] || got[1] {
		t.Errorf("lost: %v, want the first and not the second", got)
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
