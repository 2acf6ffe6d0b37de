package matchers_test

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const (
	ack = segment.ACK
	fin = segment.FIN | segment.ACK
	rst = segment.RST
)

// saw is what a tap sees of a segment; the acknowledgements acknowledge the FINs.
func saw(at time.Duration, sent bool, flags segment.Flags) segment.Sighting {
	return segment.Sighting{At: at, Sent: sent, Segment: segment.Segment{Flags: flags, Seq: 7, Ack: 8}}
}

// seenBy is a trial of which the server's tap saw that much.
func seenBy(server ...segment.Sighting) teardown.Trial {
	return teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{
		Server: teardown.End{Call: "close()", CalledAt: 2, Sightings: server},
	}}
}

func TestWhoseFINHasToWait(t *testing.T) {
	for name, c := range map[string]struct {
		sightings []segment.Sighting
		want      bool
	}{
		"the peer's comes first":           {[]segment.Sighting{saw(3, false, fin), saw(4, true, fin)}, true},
		"its own comes first":              {[]segment.Sighting{saw(3, true, fin), saw(4, false, fin)}, false},
		"the peer's comes before the call": {[]segment.Sighting{saw(1, false, fin), saw(4, true, fin)}, false},
		"neither comes":                    {nil, false},
	} {
		if got, err := matchers.ReceiveFINFirst(segment.Server).Match(seenBy(c.sightings...)); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestWhetherASecondFINIsAcknowledged(t *testing.T) {
	first, second, answer := saw(3, false, fin), saw(5, false, fin), saw(6, true, ack)
	for name, c := range map[string]struct {
		sightings []segment.Sighting
		putOff    int64 // acknowledgements
		want      bool
	}{
		"each is":                             {[]segment.Sighting{first, saw(4, true, ack), second, answer}, 0, true},
		"at once, and the first with it":      {[]segment.Sighting{first, second, answer}, 0, true},
		"the first was put off, and came":     {[]segment.Sighting{first, saw(4, true, ack), second, answer}, 1, true},
		"only the first is":                   {[]segment.Sighting{first, saw(4, true, ack), second}, 0, false},
		"the first is, when it had to be":     {[]segment.Sighting{first, second, answer}, 1, false},
		"it does not come":                    {[]segment.Sighting{first, answer}, 0, false},
		"by what does not acknowledge it yet": {[]segment.Sighting{first, second, old(answer)}, 0, false},
		"by a FIN":                            {[]segment.Sighting{first, second, saw(6, true, fin)}, 0, false},
	} {
		trial := seenBy(c.sightings...)
		trial.Counters = map[segment.Side]map[string]int64{segment.Server: {"DelayedACKs": c.putOff}}
		if got, err := matchers.AcknowledgeSecondFIN(segment.Server).Match(trial); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// old acknowledges everything before the FIN.
func old(seen segment.Sighting) segment.Sighting {
	seen.Ack--
	return seen
}

func TestWhoResets(t *testing.T) {
	for name, c := range map[string]struct {
		client, server []segment.Sighting
		want           bool
	}{
		"the server":           {nil, []segment.Sighting{saw(3, true, rst)}, true},
		"the client":           {[]segment.Sighting{saw(3, true, rst)}, []segment.Sighting{saw(4, false, rst)}, false},
		"both":                 {[]segment.Sighting{saw(3, true, rst)}, []segment.Sighting{saw(3, true, rst)}, false},
		"who did not, by both": {nil, []segment.Sighting{saw(4, false, rst)}, false},
	} {
		trial := seenBy(c.server...)
		trial.Outcome, trial.Exchange.Client.Sightings = teardown.Reset, c.client
		if got, err := matchers.ResetBy(segment.Server).Match(trial); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestWhetherTimestampsAreUsed(t *testing.T) {
	stamped := saw(3, true, ack)
	stamped.Options.HasTimestamps = true
	for _, want := range []bool{true, false} {
		trial := seenBy(saw(2, true, ack), stamped)
		if !want {
			trial = seenBy(saw(2, true, ack))
		}
		if got, err := matchers.UseTimestamps().Match(trial); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}
