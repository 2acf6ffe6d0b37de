package ladder

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

func TestFirstDifference(t *testing.T) {
	state := func(s segment.Side, at time.Duration, name string) teardown.Event {
		return teardown.Event{By: s, At: at, Text: name, IsState: true}
	}
	fin := goesFrom(segment.Client, 1, 2)
	dropped := fin
	dropped.Dropped = true
	later := goesFrom(segment.Client, 8, 9)
	for _, test := range []struct {
		name     string
		a, b     []teardown.Event
		inA, inB int
	}{
		{"both are empty", nil, nil, -1, -1},
		{"both are the same", []teardown.Event{fin}, []teardown.Event{fin}, -1, -1},
		{"one drops what the other takes", []teardown.Event{fin}, []teardown.Event{dropped}, 0, 0},
		{"one goes on", []teardown.Event{fin, later}, []teardown.Event{fin}, 1, -1},
		{
			"two ends go on at once, in any order",
			[]teardown.Event{fin, state(segment.Client, 3, "CLOSING"), state(segment.Server, 4, "FIN_WAIT2")},
			[]teardown.Event{fin, state(segment.Server, 3, "FIN_WAIT2"), state(segment.Client, 4, "CLOSING")},
			-1, -1,
		},
		{
			"of several the first counts",
			[]teardown.Event{state(segment.Server, 1, "CLOSING"), dropped, later},
			[]teardown.Event{state(segment.Server, 1, "FIN_WAIT2"), fin},
			0, 0,
		},
		{"one is empty", nil, []teardown.Event{fin, later}, -1, 0},
		{
			"what differs in one stream may have no counterpart",
			[]teardown.Event{fin, state(segment.Client, 3, "CLOSING")},
			[]teardown.Event{dropped, state(segment.Client, 3, "TIME_WAIT")},
			0, 0,
		},
	} {
		if inA, inB := firstDifference(test.a, test.b); inA != test.inA || inB != test.inB {
			t.Errorf("%s: got %d and %d, want %d and %d", test.name, inA, inB, test.inA, test.inB)
		}
	}
}
