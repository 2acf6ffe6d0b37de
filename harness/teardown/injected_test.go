package teardown

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// injected is a teardown in which the server is given a RST that the client did not
// send, and answers as it does to one that is not in sequence.
func injected() *Exchange {
	x := build(
		sent{segment.Server, 101, 101, fin, 753, 0, 4416, 0},
		sent{segment.Client, 102, 102, ack, 4416, 0, 754, 0},
		sent{segment.Server, 104, 104, ack, 754, 0, 4416, 0},
		sent{segment.Client, 105, 105, fin, 4416, 0, 754, 0},
		sent{segment.Server, 106, 106, ack, 754, 0, 4417, 0},
	)
	x.see(segment.Server, 103, false, segment.Segment{
		Src: clientAddr, Dst: serverAddr, Flags: segment.RST, Seq: isn[segment.Client] + 4516,
	})
	slices.SortStableFunc(x.Server.Sightings, func(a, b segment.Sighting) int { return int(a.At - b.At) })
	x.Server.Counters = map[string]int64{"TCPChallengeACK": 1}
	x.Server.Socket.Drops = 1
	return x
}

func TestAChallengedRSTIsNoReset(t *testing.T) {
	trial := Judge(injected())
	expectOutcome(t, trial, Clean)
	if trial.ChallengeACKs[segment.Server] != 1 {
		t.Errorf("challenge ACKs %v", trial.ChallengeACKs)
	}
	notes := map[string][]string{}
	for _, e := range trial.Timeline() {
		notes[e.Text] = append(notes[e.Text], e.Notes...)
	}
	for text, want := range map[string]string{
		"R 4516:4516(0)":          "not sent by the client",
		". 754:754(0) ack 4416":   "challenge ACK: the RST was not accepted",
		"F. 4416:4416(0) ack 754": "",
	} {
		if got := strings.Join(notes[text], "; "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// One RST explains one challenge ACK.
func TestAChallengeNeedsItsRST(t *testing.T) {
	x := injected()
	x.Server.Counters["TCPChallengeACK"] = 3
	trial := Judge(x)
	expectOutcome(t, trial, Inconclusive)
	if !strings.Contains(strings.Join(trial.Why, "\n"), "3 challenge ACKs, its tap saw 1") {
		t.Errorf("it says %q", trial.Why)
	}
}

func TestTimelineShowsWhatArrivesAgain(t *testing.T) {
	x := build(
		sent{segment.Server, 101, 101, fin, 753, 0, 4416, 0},
		sent{segment.Client, 102, 102, fin, 4416, 0, 754, 0},
		sent{segment.Server, 104, 104, ack, 754, 0, 4417, 0},
	)
	again := x.Client.Sightings[slices.IndexFunc(x.Client.Sightings, func(s segment.Sighting) bool { return s.Flags == fin && !s.Sent })]
	again.At += time.Millisecond / 2
	x.Client.Sightings = append(x.Client.Sightings, again)
	var got []string
	for _, e := range (&Trial{Exchange: x}).Timeline() {
		if e.Text == "F. 753:753(0) ack 4416" {
			got = append(got, strings.Join(e.Notes, "; "))
		}
	}
	if !slices.Equal(got, []string{"", "arrives again"}) {
		t.Errorf("the FIN that arrived twice is shown with the notes %q", got)
	}
}
