package segment

import (
	"slices"
	"testing"
)

// A teardown in which the client's FIN is overtaken and refused. What is not
// delivered is not asked for again.
func TestTrackerRemembersWhatWasAcknowledgedAndGiven(t *testing.T) {
	const late = 6 // the client's FIN is delivered behind this one
	steps := []struct {
		from  Side
		s     Segment
		kinds []Kind // of those that only a tracker tells
	}{
		{Client, Segment{Flags: SYN}, nil},
		{Server, Segment{Flags: SYN | ACK, Seq: 100, Ack: 1}, nil},
		{Client, Segment{Flags: ACK, Seq: 1, Ack: 101}, []Kind{KindAdvancingACK}},
		{Client, Segment{Flags: FIN | ACK, Seq: 1, Ack: 101}, nil},
		{Server, Segment{Flags: ACK, Seq: 101, Ack: 1}, nil}, // the FIN is still under way
		{Server, Segment{Flags: FIN | ACK, Seq: 101, Ack: 1}, nil},
		{Client, Segment{Flags: ACK, Seq: 2, Ack: 102}, []Kind{KindAdvancingACK}},
		{Server, Segment{Flags: ACK, Seq: 102, Ack: 1}, []Kind{KindChallengeACK}},
		{Client, Segment{Flags: FIN | ACK, Seq: 1, Ack: 102}, nil},
		{Server, Segment{Flags: ACK, Seq: 102, Ack: 2}, []Kind{KindAdvancingACK}},
		{Server, Segment{Flags: ACK, Seq: 102, Ack: 2}, nil},
	}
	var (
		tracker Tracker
		fin     Seen
	)
	for i, step := range steps {
		seen := tracker.See(step.from, step.s)
		for _, k := range remembered {
			all := Selector{side: step.from, kind: k}
			if got, want := seen.Is(all), slices.Contains(step.kinds, k); got != want {
				t.Errorf("segment %d, %v %v: that it is %v is %v", i+1, step.from, step.s, k, got)
			}
			if step.s.Is(k, nil) {
				t.Errorf("segment %d is %v by itself", i+1, k)
			}
		}
		switch {
		case step.s.Flags.Has(FIN) && step.from == Client:
			fin = seen
		default:
			tracker.Delivered(seen)
		}
		if i == late {
			tracker.Delivered(fin)
		}
	}
}

// An ACK that was sent before a delivery, and is seen after it, challenges
// nothing.
func TestAnACKThatCrossesADeliveryIsNoChallenge(t *testing.T) {
	var tracker Tracker
	tracker.Delivered(tracker.See(Client, Segment{Flags: ACK, Seq: 1, Length: 10}))
	tracker.Delivered(tracker.See(Client, Segment{Flags: ACK, Seq: 11, Length: 10}))
	if crossing := tracker.See(Server, Segment{Flags: ACK, Ack: 11}); crossing.Is(mustParse(t, "server challenge-ack")) {
		t.Error("the acknowledgement of the first segment was taken for a refusal of the second")
	}
	if again := tracker.See(Server, Segment{Flags: ACK, Ack: 11}); !again.Is(mustParse(t, "server challenge-ack 1")) {
		t.Error("the refusal of the second segment was not taken for one")
	}
}

// Acknowledgement numbers wrap around.
func TestAdvancingGoesAround(t *testing.T) {
	var tracker Tracker
	tracker.See(Client, Segment{Flags: ACK, Ack: 0xffffffff})
	for _, ack := range []uint32{0, 5} {
		if !tracker.See(Client, Segment{Flags: ACK, Ack: ack}).Is(mustParse(t, "client advancing-ack")) {
			t.Errorf("an ACK of %d does not advance", ack)
		}
	}
	if tracker.See(Client, Segment{Flags: ACK, Ack: 0xfffffffe}).Is(mustParse(t, "client advancing-ack")) {
		t.Error("an older ACK advances")
	}
}
