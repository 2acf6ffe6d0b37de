package scenario

import (
	"context"
	"fmt"

	"github.com/finwait/finwait/harness/segment"
)

// speak sends what each end says before the disturbance is in place.
func (r *run) speak(ctx context.Context) error {
	for _, a := range r.actors() {
		if err := r.say(ctx, a, a.Says); err != nil {
			return err
		}
	}
	return nil
}

// speakLast sends what each end says right before it closes.
func (r *run) speakLast(ctx context.Context) error {
	for _, a := range r.actors() {
		if err := r.say(ctx, a, a.LastWords); err != nil {
			return err
		}
	}
	return nil
}

// say sends so many octets and waits until nothing of them moves any more.
func (r *run) say(ctx context.Context, a *actor, octets int) error {
	if octets == 0 {
		return nil
	}
	if err := a.conn.Write(make([]byte, octets)); err != nil {
		return err
	}
	if err := r.awaitStill(ctx, a); err != nil {
		return fmt.Errorf("wait until what the %s says has arrived, is held, or waits for room: %w", a.host.Name, err)
	}
	return nil
}

// awaitStill returns when what an end says is no longer on its way: it has been
// acknowledged, or the disturbance keeps it, or it waits unsent for the peer's
// window to open. The socket knows of an acknowledgement a little later than the
// tap that saw it; so before the socket is asked, both hosts have to be done
// with all that the taps have seen, and what has not come to rest then will have
// another segment to show.
func (r *run) awaitStill(ctx context.Context, a *actor) error {
	for {
		recording := r.capture.Stop(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		still, err := r.still(a)
		if still || err != nil {
			return err
		}
		seen := count(recording.Sightings)
		more := func(now [2][]segment.Sighting) bool { return count(now) > seen }
		if err := r.capture.Wait(ctx, more); err != nil {
			return err
		}
	}
}

func (r *run) still(a *actor) (bool, error) {
	inFlight, _, err := a.conn.Queued()
	if err != nil || inFlight == 0 {
		return err == nil, err
	}
	if r.disturb == nil {
		return false, nil
	}
	idle, err := r.disturb.Idle()
	return !idle, err
}

func count(sightings [2][]segment.Sighting) int {
	return len(sightings[segment.Client]) + len(sightings[segment.Server])
}

// heard reports whether the client has been told that all it has said arrived.
func (r *run) heard(sightings [2][]segment.Sighting) bool {
	return toldOf(sightings[segment.Client], requestSize+r.Client.Says+r.Client.LastWords)
}
