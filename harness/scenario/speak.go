package scenario

import (
	"context"
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// speak sends what each end says before the disturbance is in place, and waits
// until nothing of it moves any more.
func (r *run) speak(ctx context.Context) error {
	for _, a := range r.actors() {
		if a.Says == 0 {
			continue
		}
		if err := r.send(a, a.Says); err != nil {
			return err
		}
		if err := r.awaitStill(ctx, a); err != nil {
			return fmt.Errorf("wait until what the %s says has arrived, or waits for room: %w", a.host.Name, err)
		}
	}
	return nil
}

// speakLast sends what each end says right before it closes. It leaves at once,
// nothing else being under way, and so before any answer to what follows.
func (r *run) speakLast(context.Context) error {
	for _, a := range r.actors() {
		if a.LastWords == 0 {
			continue
		}
		if err := r.send(a, a.LastWords); err != nil {
			return err
		}
	}
	return nil
}

// awaitStill returns when what an end says is no longer on its way: it has been
// acknowledged, or waits unsent for the peer's window to open. The socket knows of
// an acknowledgement a little later than the tap that saw it; so before the socket
// is asked, both hosts have to be done with all that the taps have seen, and what
// has not come to rest then will have another segment to show.
func (r *run) awaitStill(ctx context.Context, a *actor) error {
	for {
		recording := r.capture.Stop(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if inFlight, _, err := a.conn.Queued(); err != nil || inFlight == 0 && (!a.FillsWindow || shut(recording.Sightings[a.side])) {
			return err
		}
		seen := count(recording.Sightings)
		more := func(now [2][]segment.Sighting) bool { return count(now) > seen }
		if err := r.capture.Wait(ctx, more); err != nil {
			return err
		}
	}
}

// shut reports whether the last that an end got tells it that its peer's window is.
func shut(sightings []segment.Sighting) bool {
	for _, s := range slices.Backward(sightings) {
		if !s.Sent {
			return s.Window == 0
		}
	}
	return false
}

func count(sightings [2][]segment.Sighting) int {
	return len(sightings[segment.Client]) + len(sightings[segment.Server])
}

// heard reports whether the client has been told that all it has said arrived.
func (r *run) heard(sightings [2][]segment.Sighting) bool {
	return toldOf(sightings[segment.Client], RequestSize+r.Client.Says+r.Client.LastWords)
}
