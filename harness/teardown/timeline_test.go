package teardown

import (
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// way is what a timeline says of how one segment went, in milliseconds.
type way struct {
	text                             string
	left, at                         int
	lost, overtaken, copied, dropped bool
	since                            int // 0 where it is no repetition
}

func waysOf(trial Trial) []way {
	var out []way
	for _, e := range trial.Timeline() {
		if !e.IsSegment || e.By != segment.Client {
			continue
		}
		w := way{text: e.Text, left: int(e.Left.Milliseconds()), at: int(e.At.Milliseconds())}
		w.lost, w.overtaken, w.copied, w.dropped = e.Lost, e.Overtaken, e.Copy, e.Dropped
		if e.Again != nil {
			w.since = int(e.Since.Milliseconds())
		}
		out = append(out, w)
	}
	return out
}

func TestTheWayOfASegment(t *testing.T) {
	// The tap of the client sees the FIN only when its qdisc has let it go.
	known := Judge(refused())
	known.Paths = map[segment.Side][]Step{segment.Client: {{State: "FIN_WAIT1", At: 100 * time.Millisecond}}}
	duplicate := build(sent{segment.Client, 101, 111, fin, 4416, 0, 753, 0})
	duplicate.Server.Sightings = append(duplicate.Server.Sightings, duplicate.Server.Sightings[len(duplicate.Server.Sightings)-1])
	duplicate.Server.Sightings[len(duplicate.Server.Sightings)-1].At += 5 * time.Millisecond
	ackLost := build(
		sent{segment.Client, 101, 102, fin, 4416, 0, 753, 0},
		sent{segment.Server, 103, lost, ack, 753, 0, 4417, 0},
		sent{segment.Client, 305, 306, fin, 4416, 0, 753, 0},
	)
	ackLost.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPTimeouts": 1}
	ackLost.Client.Socket.Retransmissions = 1
	const early, late, again, acknowledgement = "F. 4416:4416(0) ack 753", "F. 4416:4416(0) ack 753", "F. 4416:4416(0) ack 754", ". 4417:4417(0) ack 754"
	for _, test := range []struct {
		name  string
		trial Trial
		want  []way
	}{
		{"it was made when the state says so", known, []way{
			{text: acknowledgement, left: 102, at: 102},
			{text: late, left: 100, at: 160, overtaken: true, dropped: true},
			{text: again, left: 364, at: 364, since: 160},
		}},
		{"where no state is known, before what overtook it", Judge(refused()), []way{
			{text: acknowledgement, left: 102, at: 102},
			{text: late, left: 102, at: 160, overtaken: true, dropped: true},
			{text: again, left: 364, at: 364, since: 160},
		}},
		{"a copy leaves with the first", Judge(duplicate), []way{
			{text: early, left: 101, at: 111},
			{text: early, left: 101, at: 116, copied: true},
		}},
		{"what was lost arrives nowhere", Judge(build(sent{segment.Client, 101, lost, fin, 4416, 0, 753, 0})), []way{
			{text: early, left: 101, at: 101, lost: true},
		}},
		{"what was acknowledged in vain came to nothing when it arrived", Judge(ackLost), []way{
			{text: early, left: 101, at: 102},
			{text: early, left: 305, at: 306, since: 102},
		}},
	} {
		if got := waysOf(test.trial); !slices.Equal(got, test.want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", test.name, got, test.want)
		}
	}
}
