package wire

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// A Hand drives a wire by hand: it keeps every TCP segment that comes in, pure
// acknowledgements included, until it is told what to do with it. Everything else
// passes at once; rules do not act. It is for one goroutine.
//
// What it does, and what Do runs, is done on the processor that the wire relays on.
// A veth's frames wait in a queue of the processor that sent them, and are handled
// from there in order (net/core/dev.c, enqueue_to_backlog and process_backlog): so
// there is one order of everything that a Hand brings about. See Settle.
type Hand struct {
	wire    *Wire
	decoder *segment.Decoder
	tasks   chan func()
	idle    chan struct{} // closed when its thread has nothing more to do
	inside  bool          // whether a task runs

	// Under the wire's lock:
	sent     [2][]Sent
	asked    uint16        // the number of the last echo request
	answered [2]uint16     // of the last reply of each side
	changed  chan struct{} // closed and replaced whenever something came in
}

// Sent is a segment that a side has sent.
type Sent struct {
	// Segment has numbers that count from the connection's beginning.
	Segment segment.Segment
	// Kept is true while the wire keeps it, or a copy of it.
	Kept   bool
	octets []byte
}

// ByHand has the wire keep what comes in. It must have passed on the SYNs of both
// sides of the connection, and be idle: see Idle.
func (w *Wire) ByHand() (*Hand, error) {
	h := &Hand{
		wire: w, decoder: segment.NewDecoder(),
		tasks: make(chan func()), idle: make(chan struct{}), changed: make(chan struct{}),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fail := func(err error) (*Hand, error) {
		return nil, fmt.Errorf("drive the wire between %s by hand: %w", w.between(), err)
	}
	switch {
	case w.hand != nil:
		return fail(errors.New("it is driven by hand already"))
	case !w.board.idle() || len(w.underWay) > 0:
		return fail(errors.New("it is not idle"))
	case !w.board.connection.known():
		return fail(errUnknown)
	}
	started := make(chan error)
	go h.run(started)
	if err := <-started; err != nil {
		return fail(err)
	}
	w.hand = h
	return h, nil
}

// Release has the wire relay again. That it still keeps something is an error, and
// leaves it as it is.
func (h *Hand) Release() error {
	w := h.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, side := range segment.Sides {
		if i := slices.IndexFunc(h.sent[side], Sent.kept); i >= 0 {
			return fmt.Errorf("the wire between %s cannot relay again: it keeps %v %d, %v", w.between(), side, i+1, h.sent[side][i].Segment)
		}
	}
	w.hand = nil
	close(h.tasks)
	<-h.idle
	return nil
}

func (s Sent) kept() bool { return s.Kept }

// Sent returns what a side has sent since ByHand or Recount, in that order. The
// first has number 1.
func (h *Hand) Sent(side segment.Side) []Sent {
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	return slices.Clone(h.sent[side])
}

// Recount forgets what was sent so far, of which nothing may still be kept.
func (h *Hand) Recount() error {
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	for _, side := range segment.Sides {
		if slices.ContainsFunc(h.sent[side], Sent.kept) {
			return errors.New("a wire that keeps segments cannot count anew")
		}
	}
	h.sent = [2][]Sent{}
	return nil
}

// Deliver hands a kept segment of a side to its peer.
func (h *Hand) Deliver(from segment.Side, number int) error { return h.part(from, number, true, false) }

// Drop makes away with a kept segment.
func (h *Hand) Drop(from segment.Side, number int) error { return h.part(from, number, false, false) }

// Duplicate delivers a kept segment and keeps a copy of it.
func (h *Hand) Duplicate(from segment.Side, number int) error {
	return h.part(from, number, true, true)
}

// Inject hands a side a segment that its peer has not sent, with numbers that count from
// the connection's beginning.
func (h *Hand) Inject(to segment.Side, s segment.Segment) error {
	return h.Do(func() error {
		w := h.wire
		w.mu.Lock()
		defer w.mu.Unlock()
		octets, err := w.board.connection.frame(to.Peer(), s)
		if err != nil {
			return err
		}
		return w.send(frame{from: to.Peer(), octets: octets, came: clock.Now()})
	})
}

func (h *Hand) part(from segment.Side, number int, deliver, keep bool) error {
	return h.Do(func() error {
		w := h.wire
		w.mu.Lock()
		defer w.mu.Unlock()
		if number < 1 || number > len(h.sent[from]) || !h.sent[from][number-1].Kept {
			return fmt.Errorf("the wire between %s keeps no segment %d of the %v", w.between(), number, from)
		}
		s := &h.sent[from][number-1]
		s.Kept = keep
		if !deliver {
			return nil
		}
		return w.send(frame{from: from, octets: s.octets, came: clock.Now()})
	})
}

// Settle returns when a host is done with everything that was delivered to it and
// with every system call that Do made for it, and the wire has everything that its
// TCP sent in answer.
//
// It sends the host an echo request (ICMP) and waits for the reply, which the host's
// kernel gives by itself. The request waits behind what was delivered, in the queue
// of the processor that both were sent from; TCP answers a segment where it is
// handled, before the request is (net/ipv4/tcp_ipv4.c, tcp_v4_rcv, and
// net/ipv4/icmp.c, icmp_echo, run one after the other in one softirq); and the
// answers wait before the reply, in the same queue on the way back. What a system
// call sent on that processor is in it as well, before the request.
//
// That is no proof for what TCP does later, by a timer or a tasklet: a delayed
// acknowledgement (see lab.RouteMetrics.QuickACK), a retransmission, what pacing or
// TCP small queues hold back. Nor for a segment that finds the socket locked by
// another system call, whose end deals with it: no other goroutine may use the
// sockets meanwhile. Nor for a link whose frames are handed to another processor
// on the way, by RPS for one.
func (h *Hand) Settle(ctx context.Context, side segment.Side) error {
	var number uint16
	if err := h.Do(func() (err error) {
		number, err = h.ask(side)
		return err
	}); err != nil {
		return err
	}
	if err := h.wait(ctx, func() bool { return h.answered[side] == number }); err != nil {
		return fmt.Errorf("wait for the %v to answer an echo request: %w", side, err)
	}
	return nil
}

// Wait returns when enough says yes to what both sides have sent so far. enough must
// not keep what it is shown.
func (h *Hand) Wait(ctx context.Context, enough func(sent [2][]Sent) bool) error {
	return h.wait(ctx, func() bool { return enough(h.sent) })
}

func (h *Hand) wait(ctx context.Context, enough func() bool) error {
	for {
		h.wire.mu.Lock()
		done, changed := enough(), h.changed
		h.wire.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-h.wire.Done():
			return h.dead()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Do runs f on the processor that the wire relays on, unless the wire is closed. f may use the Hand, Do included;
// what is done in one f costs no change of threads.
func (h *Hand) Do(f func() error) error {
	if h.inside {
		return f()
	}
	var err error
	done := make(chan struct{})
	task := func() {
		defer close(done)
		err = f()
	}
	h.inside = true
	defer func() { h.inside = false }()
	select {
	case h.tasks <- task:
		<-done
		return err
	case <-h.idle:
		return h.dead()
	}
}

// dead says that the wire has stopped, and why.
func (h *Hand) dead() error {
	return errors.Join(errors.New("the wire relays no more"), h.wire.Err())
}

// run runs tasks until there are no more.
func (h *Hand) run(started chan<- error) {
	defer close(h.idle)
	runtime.LockOSThread() // and never unlock: the thread ends with its affinity
	err := lab.PinTo(h.wire.processor)
	hurry()
	started <- err
	if err != nil {
		return
	}
	for {
		select {
		case task, more := <-h.tasks:
			if !more {
				return
			}
			task()
		case <-h.wire.Done():
			return
		}
	}
}

// takes takes in a frame and reports whether it goes no further. The wire is locked.
func (h *Hand) takes(f frame) bool {
	s, err := h.decoder.Decode(f.octets)
	if err != nil {
		number, ours := segment.EchoReply(f.octets)
		if ours {
			h.answered[f.from] = number
			h.tell()
		}
		return ours
	}
	h.wire.board.counts.Passed[f.from]++
	h.sent[f.from] = append(h.sent[f.from], Sent{
		Segment: h.wire.board.connection.numbering.Relative(s), Kept: true, octets: slices.Clone(f.octets),
	})
	h.tell()
	return true
}

func (h *Hand) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}
