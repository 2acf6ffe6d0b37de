package capture

import (
	"context"
	"strings"
	"testing"
)

func TestRestartBeginsAnew(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	for again := range 3 {
		refused(t, ends)
		recording := c.Stop(t.Context())
		if len(recording.Doubts) != 0 {
			t.Errorf("recording %d: %v", again, recording.Doubts)
		}
		for i, seen := range recording.Sightings {
			if len(seen) != 2 || seen[0].At < 0 {
				t.Errorf("recording %d: end %d saw %v, want a SYN and a RST, no earlier than it began", again, i, seen)
			}
		}
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// What went by after Stop belongs to no recording.
func TestRestartWantsSilence(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	c.Stop(t.Context())
	refused(t, ends)
	if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "saw 2 segments after") {
		t.Errorf("got %v", err)
	}
}

func TestRestartWantsNothingLost(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	c.Stop(t.Context())
	c.overrun(t)
	if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("got %v", err)
	}
}

func TestRestartWantsProof(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	c.Stop(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range c.taps { // no marker comes through
		c.taps[i].close()
	}
	if err := c.Restart(ctx); err == nil {
		t.Error("closed taps were taken for live ones")
	}
}
