package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// close makes both closing calls, then has the programs that keep their
// sockets read on.
func (r *run) close(ctx context.Context) error {
	if r.forged != nil {
		return r.closeForged(ctx)
	}
	first := segment.Client
	if r.ServerFirst {
		first = segment.Server
	}
	if err := r.end(ctx, r.actors()[first]); err != nil {
		return err
	}
	if r.ServerFirst {
		answered := func(sightings [2][]segment.Sighting) bool {
			return over(sightings) || finAcknowledged(sightings) && r.heard(sightings)
		}
		if err := r.capture.Wait(ctx, answered); err != nil {
			return fmt.Errorf("wait for the server's FIN and the client's data to be acknowledged: %w", err)
		}
	}
	if err := r.end(ctx, r.actors()[first.Peer()]); err != nil {
		return err
	}
	r.startReaders()
	return nil
}

// startReaders has the programs that keep their sockets read on.
func (r *run) startReaders() {
	for _, a := range r.real() {
		if a.closing().Reads {
			a.program.Go(func() { r.readOn(a) })
		}
	}
}

// finAcknowledged reports whether the server has been told that its FIN has
// arrived.
func finAcknowledged(sightings [2][]segment.Sighting) bool {
	var fin *segment.Sighting
	for i, s := range sightings[segment.Server] {
		switch {
		case s.Sent && s.Flags.Has(segment.FIN):
			fin = &sightings[segment.Server][i]
		case !s.Sent && fin != nil && s.Covers(fin.End()):
			return true
		}
	}
	return false
}

// entrust hands the sockets that a process of their own is to end over to one.
func (r *run) entrust(context.Context) error {
	for _, a := range r.real() {
		if !a.closing().Entrusted {
			continue
		}
		if err := a.conn.Entrust(); err != nil {
			return fmt.Errorf("%s: %w", a.host.Name, err)
		}
	}
	return nil
}

// end makes an actor's closing call; one that waits for the peer is left to itself
// once it has begun. One that stays makes none.
func (r *run) end(ctx context.Context, a *actor) error {
	if a.Stays {
		return nil
	}
	how := a.closing()
	a.end.Call, a.end.Reads = how.Name, how.Reads
	if how.Blocks {
		a.end.CalledAt = r.capture.Since(clock.Now())
		a.program.Go(func() {
			_, err := a.conn.End(how)
			if err := a.unlessGone(err); err != nil {
				r.broken(err)
			}
		})
		return a.awaitBegun(ctx)
	}
	at, err := a.conn.End(how)
	a.end.CalledAt = r.capture.Since(at)
	return a.unlessGone(err)
}

// awaitBegun waits until a closing call that does not return has changed the
// connection's state. No event tells of that. The call lets nothing else happen to
// the socket before it has made its FIN (net/ipv4/tcp.c, __tcp_close).
func (a *actor) awaitBegun(ctx context.Context) error {
	again := time.NewTicker(100 * time.Microsecond)
	defer again.Stop()
	for {
		state, err := a.kernel.StateOf(a.local, a.remote)
		if err != nil || state != "ESTABLISHED" && state != "CLOSE_WAIT" {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the closing call of the %s to begin: %w", a.host.Name, ctx.Err())
		}
	}
}

// unlessGone lets it pass that a connection is gone by the time of its closing
// call: it was reset, which is for the taps to tell.
func (a *actor) unlessGone(err error) error {
	if err == nil || errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return nil
	}
	return fmt.Errorf("%s: %w", a.host.Name, err)
}

// readOn reads to the peer's FIN, or writes down what the program is told instead.
// That the deadline ends it is for the taps to tell.
func (r *run) readOn(a *actor) { r.readInto(a, io.Discard) }

// readInto is the same, and writes what is read.
func (r *run) readInto(a *actor, w io.Writer) {
	at, err := a.conn.ReadToEOFInto(w)
	var told unix.Errno
	switch {
	case err == nil:
		eof := r.capture.Since(at)
		a.end.EOF = &eof
	case errors.As(err, &told):
		a.end.ReadError = unix.ErrnoName(told)
	}
}

// awaitEnd waits until the teardown is over, or gone, and the programs have been
// told.
func (r *run) awaitEnd(ctx context.Context) error {
	await, ends := r.awaitOver, segment.Sides[:]
	if len(r.UntilGone) > 0 {
		await, ends = r.awaitGone, r.UntilGone
	}
	if err := await(ctx); err != nil {
		return err
	}
	told := make(chan struct{})
	go func() {
		for _, side := range ends {
			r.actors()[side].program.Wait()
		}
		close(told)
	}()
	select {
	case <-told:
	case <-ctx.Done(): // Judge holds it against the taps
	}
	return nil
}

// awaitOver waits until the taps have seen the end of the teardown and the
// disturbance holds nothing any more.
func (r *run) awaitOver(ctx context.Context) error {
	var failed error
	err := r.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		if !over(sightings) || r.disturb == nil {
			return over(sightings)
		}
		idle, err := r.disturb.Idle()
		failed = err
		return idle || err != nil
	})
	return errors.Join(err, failed)
}

// awaitGone waits until the ends that the trial is to go on for are gone.
func (r *run) awaitGone(ctx context.Context) error {
	select {
	case <-r.sampler.gone:
		return nil
	case <-r.sampler.stopped:
		return r.sampler.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// over reports whether the taps have seen the end of the teardown.
func over(sightings [2][]segment.Sighting) bool {
	return (&teardown.Exchange{
		Client: teardown.End{Sightings: sightings[segment.Client]},
		Server: teardown.End{Sightings: sightings[segment.Server]},
	}).Over()
}
