package teardown

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

func TestWhatAKernelDropped(t *testing.T) {
	again := func(from segment.Side, by string, delay time.Duration) Retransmission {
		return Retransmission{From: from, Cause: Cause{By: by}, Delay: delay}
	}
	trial := Trial{Outcome: Retransmitted, Retransmissions: []Retransmission{
		again(segment.Client, "network", 1),
		again(segment.Client, "server", 2),
		again(segment.Client, "", 3),
		again(segment.Client, "client", 4), // its acknowledgement
		again(segment.Server, "server", 5),
		again(segment.Server, "client", 6),
		again(segment.Client, "server", 7),
	}}
	for side, want := range map[segment.Side][]time.Duration{segment.Server: {2, 7}, segment.Client: {6}} {
		dropped := trial.DroppedBy(side)
		if len(dropped) != len(want) {
			t.Errorf("the %v dropped %+v, want %v", side, dropped, want)
			continue
		}
		for i := range want {
			if dropped[i].Delay != want[i] {
				t.Errorf("the %v dropped %+v, want %v", side, dropped, want)
			}
		}
	}
	trial.Outcome = Inconclusive
	if dropped := trial.DroppedBy(segment.Server); dropped != nil {
		t.Errorf("a trial that tells nothing tells of %+v", dropped)
	}
}
