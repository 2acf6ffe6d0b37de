package explore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
)

// open brings the connection to where the exploration begins.
func (x *execution) open(ctx context.Context) error {
	if err := x.connect(ctx); err != nil {
		return err
	}
	var err error
	if x.hand, err = x.bed.wire.ByHand(); err != nil {
		return err
	}
	return x.hand.Do(func() error { return x.prepare(ctx) })
}

// prepare does what is done by hand before the exploration begins.
func (x *execution) prepare(ctx context.Context) error {
	if err := x.converse(ctx); err != nil {
		return err
	}
	for side, as := range x.bed.behaviours() {
		if err := x.tell(ctx, segment.Side(side), x.ends[side].words(as.Says)); err != nil {
			return err
		}
	}
	for side, as := range x.bed.behaviours() {
		if !as.Closing.Entrusted {
			continue
		}
		// The process inherits the processor.
		if err := x.ends[side].conn.Entrust(); err != nil {
			return err
		}
	}
	for _, e := range x.ends {
		if _, err := x.news(e); err != nil {
			return err
		}
		e.sent = 0
	}
	if err := x.hand.Recount(); err != nil {
		return err
	}
	for side, as := range x.bed.behaviours() {
		if err := x.say(ctx, segment.Side(side), as.LastWords); err != nil {
			return err
		}
		if _, err := x.news(x.ends[side]); err != nil {
			return err
		}
	}
	return x.look()
}

// connect opens the connection, while the wire relays.
func (x *execution) connect(ctx context.Context) error {
	b := x.bed
	address := netip.AddrPortFrom(b.family.Socket(b.pair.Server.Addresses[0].Addr()), 0)
	listener, err := sock.Listen(ctx, b.pair.Server.Host, address)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return &kernel.MissingCapability{Name: "IPv6", Err: err}
	}
	if err != nil {
		return err
	}
	defer listener.Close()
	if x.ends[segment.Client].conn, err = sock.Dial(ctx, b.pair.Client.Host, listener.Addr); err != nil {
		return err
	}
	if x.ends[segment.Server].conn, err = listener.Accept(); err != nil {
		return err
	}
	for side, as := range b.behaviours() {
		if as.Prepare == nil {
			continue
		}
		if err := as.Prepare(x.ends[side].conn); err != nil {
			return fmt.Errorf("prepare the %v's socket: %w", segment.Side(side), err)
		}
	}
	return nil
}

// converse sends a request and a response. When it returns, both ends know that these
// arrived.
func (x *execution) converse(ctx context.Context) error {
	for _, turn := range []struct {
		from segment.Side
		size int
	}{{segment.Client, scenario.RequestSize}, {segment.Server, scenario.ResponseSize}} {
		if err := x.tell(ctx, turn.from, make([]byte, turn.size)); err != nil {
			return err
		}
		if err := x.ends[turn.from.Peer()].conn.Read(turn.size); err != nil {
			return err
		}
		if err := x.pump(ctx, turn.from.Peer()); err != nil {
			return err
		}
	}
	for side, e := range x.ends {
		switch inFlight, unsent, err := e.conn.Queued(); {
		case err != nil:
			return err
		case inFlight+unsent > 0:
			return fmt.Errorf("the %v has %d octets in flight and %d unsent before the first call, and no segment under way", segment.Side(side), inFlight, unsent)
		}
	}
	return nil
}

// say has an end send so many octets, and returns when they are on the wire.
func (x *execution) say(ctx context.Context, side segment.Side, octets int) error {
	if octets == 0 {
		return nil
	}
	e := x.ends[side]
	if err := e.conn.Write(e.words(octets)); err != nil {
		return err
	}
	return x.hand.Settle(ctx, side)
}

// tell has an end send octets, and delivers them. One segment at a time is in flight: with
// more, a tail loss probe would come after two round trips.
func (x *execution) tell(ctx context.Context, side segment.Side, octets []byte) error {
	const piece = 1024 // fits in a segment
	for part := range slices.Chunk(octets, piece) {
		if err := x.ends[side].conn.Write(part); err != nil {
			return err
		}
		if err := x.pump(ctx, side); err != nil {
			return err
		}
	}
	return nil
}

// words are the next octets that an end says.
func (e *end) words(octets int) []byte {
	text := make([]byte, octets)
	for i := range text {
		text[i] = octet(e.said + i)
	}
	e.said += octets
	return text
}

// octet is the i-th of what an end says: a period that no segment's length is a multiple
// of tells octets that are lost or come twice.
func octet(i int) byte { return byte(i % 251) }

// pump delivers what is on the wire, in order, until nothing more comes of it or of
// what a side's program has just done.
func (x *execution) pump(ctx context.Context, side segment.Side) error {
	for {
		if err := x.hand.Settle(ctx, side); err != nil {
			return err
		}
		delivered := false
		for i, s := range x.hand.Sent(side) {
			if !s.Kept {
				continue
			}
			delivered = true
			if err := x.hand.Deliver(side, i+1); err != nil {
				return err
			}
		}
		if !delivered {
			return nil
		}
		side = side.Peer()
	}
}
