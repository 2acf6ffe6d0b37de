// Package capture records the segments on both ends of a link, or of a path
// through bridges, routers and wires, with proof that nothing was missed.
//
// The tap of the receiving end is the truth of the order in which segments
// arrive: a tap on the sending end sees them after the sender's qdisc too, but
// before anything on the way.
package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// A Capture records what passes two ends.
type Capture struct {
	epoch   clock.Instant
	offset  clock.Offset
	taps    [2]*tap
	markers [2]*marker
	readers sync.WaitGroup

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever something came in
	sightings [2][]segment.Sighting
	returned  [2]int       // how many of them Stop has returned
	lastMark  [2][2]uint64 // numbers, by tap, by sender
	foreign   int
	astray    int // of the foreign frames, those that may hold a TCP segment
	failures  []error
	disturbed error // what was last noticed of the clock
	closed    bool
}

// A Recording is what a capture has seen from its beginning to a Stop.
type Recording struct {
	// Sightings are what each end's tap saw, in the order it saw it.
	Sightings [2][]segment.Sighting
	// Foreign counts frames that held no TCP segment, or were not addressed to
	// the host whose tap saw them.
	Foreign int
	// Uncertainty is how far the sightings' times can be off the clock of Since.
	Uncertainty time.Duration
	// Doubts says why the recording is not to be trusted, if it is not: a tap
	// lost frames, a frame could not be read, the clock was set.
	Doubts []error
}

// Start taps both ends of a link or a path. When it returns, both taps have been seen to
// record, with time stamps taken as the frame passed. ctx bounds that proof
// only. The Capture has to be closed.
func Start(ctx context.Context, ends [2]*lab.End) (*Capture, error) {
	c, err := open(ends)
	if err != nil {
		return nil, err
	}
	for i := range c.markers {
		if err := c.proveLive(ctx, i); err != nil {
			c.Close()
			return nil, err
		}
	}
	for i := range c.taps {
		c.readers.Go(func() { c.read(i) })
	}
	return c, nil
}

func open(ends [2]*lab.End) (*Capture, error) {
	c := &Capture{changed: make(chan struct{}), epoch: clock.Now(), offset: clock.MeasureOffset()}
	for i, end := range ends {
		var err error
		if c.taps[i], err = openTap(end); err != nil {
			c.Close()
			return nil, err
		}
		if c.markers[i], err = openMarker(end, ends[1-i]); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// proveLive sends markers from an end until one has been seen by both taps, and
// by the end's own with a stamp from before sending it was over. The kernel
// turns stamping on from a work item, for all that is sent and received at once
// (net/core/dev.c, net_enable_timestamp); a frame that passed earlier is stamped
// when it is read instead, which is after that.
func (c *Capture) proveLive(ctx context.Context, sender int) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("prove the taps live: time stamps were not taken as frames passed: %w", err)
		}
		number, err := c.markers[sender].send()
		if err != nil {
			return err
		}
		sent := clock.Now()
		stamped := false
		for i, t := range c.taps {
			f, err := t.await(ctx, number, i == sender)
			if err != nil {
				return fmt.Errorf("prove the tap on %s of %s live: %w", t.end.Name, t.end.Host.Name, err)
			}
			if i == sender {
				stamped = c.offset.Monotonic(f.stamp) <= sent+clock.Instant(c.offset.Uncertainty)
			}
		}
		if stamped {
			return nil
		}
	}
}

// await reads until the marker with the number comes by, sent by the tap's own host
// or not.
func (t *tap) await(ctx context.Context, number uint64, sent bool) (frame, error) {
	stop := context.AfterFunc(ctx, func() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		f, err := t.next()
		if err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("no marker came through: %w", ctx.Err())
			}
			return frame{}, err
		}
		if n, ok := markerNumber(f.octets); ok && n == number && f.sent == sent {
			return f, nil
		}
	}
}

// read takes in what tap i sees until it is closed.
func (c *Capture) read(i int) {
	decoder := segment.NewDecoder()
	for {
		f, err := c.taps[i].next()
		c.mu.Lock()
		if !c.closed {
			c.take(i, f, err, decoder)
			c.tell()
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// tell wakes whoever waits for something to change.
func (c *Capture) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Capture) take(i int, f frame, err error, decoder *segment.Decoder) {
	number, marks := markerNumber(f.octets)
	switch {
	case err != nil:
		c.failures = append(c.failures, fmt.Errorf("the tap on %s stopped: %w", c.taps[i].end.Host.Name, err))
		return
	case marks:
		sender := i
		if !f.sent {
			sender = 1 - i
		}
		c.lastMark[i][sender] = number
		return
	}
	decoded, err := decoder.Decode(f.octets)
	switch {
	case errors.Is(err, segment.ErrNotTCP):
		c.foreign++
	case !f.ours: // the tap sees it, but the host's stack will not
		c.foreign++
		c.astray++
	case err != nil:
		c.failures = append(c.failures, fmt.Errorf("on %s: %w", c.taps[i].end.Host.Name, err))
	default:
		c.sightings[i] = append(c.sightings[i], segment.Sighting{
			At:          c.offset.Monotonic(f.stamp).Sub(c.epoch),
			Sent:        f.sent,
			Segment:     decoded,
			Frame:       f.octets,
			FrameLength: f.length,
		})
	}
}

// Since returns the time since the beginning of the capture, on the clock of
// the sightings.
func (c *Capture) Since(i clock.Instant) time.Duration { return i.Sub(c.epoch) }

// Changed returns a channel that is closed when something more has come in.
func (c *Capture) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Wait returns when enough says yes to what the taps have seen so far, or with
// ctx's error, or os.ErrClosed after Close. enough must not keep the sightings
// it is shown.
func (c *Capture) Wait(ctx context.Context, enough func(sightings [2][]segment.Sighting) bool) error {
	return c.wait(ctx, func() bool { return enough(c.sightings) })
}

func (c *Capture) wait(ctx context.Context, enough func() bool) error {
	for {
		c.mu.Lock()
		done, closed, failures, changed := enough(), c.closed, c.failures, c.changed
		c.mu.Unlock()
		switch {
		case done:
			return nil
		case len(failures) > 0:
			return errors.Join(failures...)
		case closed:
			return os.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop proves that everything that went by has been read, and that both hosts
// are done with it, and returns it. ctx bounds the proof; if it fails, the
// recording has a doubt more. The taps go on recording until Close: Stop may be
// called again, not by two at once, and then proves and returns everything from
// the beginning, lost frames and a disturbed clock included.
func (c *Capture) Stop(ctx context.Context) Recording {
	var doubts []error
	if err := c.settle(ctx); err != nil {
		doubts = append(doubts, fmt.Errorf("it is not proven that the taps saw everything: %w", err))
	}
	if err := clock.Disturbed(c.offset, clock.MeasureOffset()); err != nil {
		c.disturbed = err
	}
	if c.disturbed != nil {
		doubts = append(doubts, c.disturbed)
	}
	for _, t := range c.taps {
		switch lost, err := t.lost(); {
		case err != nil:
			doubts = append(doubts, err)
		case lost > 0:
			doubts = append(doubts, fmt.Errorf("the tap on %s of %s lost %d frames", t.end.Name, t.end.Host.Name, lost))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returned = [2]int{len(c.sightings[0]), len(c.sightings[1])}
	return Recording{
		Sightings:   [2][]segment.Sighting{slices.Clone(c.sightings[0]), slices.Clone(c.sightings[1])},
		Foreign:     c.foreign,
		Uncertainty: c.offset.Uncertainty,
		Doubts:      append(doubts, c.failures...),
	}
}

// Restart begins a new recording in the place of the one that Stop returned,
// with the same taps. It first proves as much as Start does, and that nothing has
// gone by since that Stop: the taps see a marker from every processor, and have
// lost nothing; the kernel has stamped what passes since Start, because it does
// as long as a socket that asked for it is open (net/core/sock.c,
// sock_enable_timestamp). Frames that hold no TCP segment may go by at any time: hosts
// multicast. If it cannot, the error says why, and the Capture is
// good for nothing but to be closed. ctx bounds the proof.
func (c *Capture) Restart(ctx context.Context) error {
	c.mu.Lock()
	returned := c.returned
	c.mu.Unlock()
	// What is stamped from now on may come in only after the proof, and then belongs
	// to the new recording; the proof's markers flush what was stamped before.
	epoch, offset := clock.Now(), clock.MeasureOffset()
	if err := errors.Join(c.Stop(ctx).Doubts...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, t := range c.taps {
		if late := len(c.sightings[i]) - returned[i]; late > 0 {
			return fmt.Errorf("%s of %s saw %d segments after the recording had ended", t.end.Name, t.end.Host.Name, late)
		}
	}
	if c.astray > 0 {
		return fmt.Errorf("the taps saw %d TCP segments that were not addressed to the host that they came to", c.astray)
	}
	c.epoch, c.offset = epoch, offset
	c.foreign = 0
	c.sightings, c.returned = [2][]segment.Sighting{}, [2]int{}
	return nil
}

// settle sends a marker both ways from every processor that this process may
// use and waits until both taps have seen it. What a veth sends waits in a queue
// of the processor that sent it, and is handled from there in order, by TCP as
// well as by the taps (net/core/dev.c, enqueue_to_backlog and process_backlog):
// behind a marker from each processor nothing is left.
//
// A bridge or a router on the way changes nothing of that: it sends a frame on
// where it is handled, from the same processor, to the end of the same queue
// (net/bridge/br_input.c, br_handle_frame; net/ipv4/ip_forward.c, ip_forward).
// Whatever was in the queue before the marker has come no less far than the marker
// each time, so it comes to its end before the marker does. What a host answers to
// it is sent before the marker is handled there, thus before the marker that goes
// the other way.
//
// It is no proof for a link whose frames are handed to another processor on the
// way: by RPS, or by a qdisc that another processor is just emptying
// (net/core/dev.c, __dev_xmit_skb), which takes traffic from two of them at once.
// Nor is it one for segments that a qdisc, a wire or a busy socket still holds, or,
// where a cpuset keeps this process off some processors, for what a timer's
// softirq sends on one of those. A qdisc that holds the marker as well, such as
// impair.HoldAllBut's, makes the proof take as long.
func (c *Capture) settle(ctx context.Context) error {
	return onEveryProcessor(func() error {
		for sender, m := range c.markers {
			number, err := m.send()
			if err != nil {
				return err
			}
			seen := func() bool { return c.lastMark[0][sender] == number && c.lastMark[1][sender] == number }
			if err := c.wait(ctx, seen); err != nil {
				return fmt.Errorf("a marker from %s of %s did not come through: %w", m.end.Name, m.end.Host.Name, err)
			}
		}
		return nil
	})
}

// Close lets go of the taps. A closed Capture may be closed again.
func (c *Capture) Close() {
	c.mu.Lock()
	c.closed = true
	c.tell()
	c.mu.Unlock()
	for i := range c.taps {
		if c.taps[i] != nil {
			c.taps[i].close()
		}
		if c.markers[i] != nil {
			c.markers[i].close()
		}
	}
	c.readers.Wait()
}
