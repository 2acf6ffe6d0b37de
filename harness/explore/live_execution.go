package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/wire"
)

// ErrTooSlow is wrapped by the error of an execution in which an end sent something that
// no choice made it send: a timer did, because the execution took longer than that. It
// tells nothing, and can be repeated.
var ErrTooSlow = errors.New("a timer fired: the execution was too slow")

// An execution is one connection.
type execution struct {
	stage *Live
	bed   *bed
	hand  *wire.Hand // nil before the connection is open
	ends  [2]*end
	steps []string

	reset  bool // a RST has ended the connection
	asked  bool // a call asked for that
	broken []string
	failed bool // whether the bed is not to be used again
}

// An end is one side of an execution.
type end struct {
	sock.Closing
	side   segment.Side
	conn   *sock.Conn
	called bool

	said  int    // octets written and not yet read when the exploration began
	heard []byte // what the program has read since
	eof   bool
	gone  bool // it was told of a reset

	status observe.Status
	path   []string

	sent  int           // how many of its segments have been taken in
	acked uint32        // what they acknowledged last
	next  uint32        // the sequence number after what they occupy
	last  clock.Instant // when the last of them had been sent
}

// Enabled implements Execution.
func (x *execution) Enabled(context.Context) ([]Enabled, error) {
	if err := x.still(); err != nil {
		return nil, err
	}
	var enabled []Enabled
	for _, side := range segment.Sides {
		if e := x.ends[side]; !e.called {
			enabled = append(enabled, Enabled{Choice{Call, side, 0}, e.Name})
		}
		for i, s := range x.hand.Sent(side) {
			if !s.Kept {
				continue
			}
			for _, act := range []Act{Deliver, Drop, Duplicate} {
				enabled = append(enabled, Enabled{Choice{act, side, i + 1}, s.Segment.String()})
			}
		}
	}
	slices.SortFunc(enabled, func(a, b Enabled) int { return a.Choice.Compare(b.Choice) })
	return enabled, nil
}

// Perform implements Execution. It returns when both kernels and the programs are done
// with it.
func (x *execution) Perform(ctx context.Context, c Choice) error {
	err := x.still()
	if err == nil {
		err = x.hand.Do(func() error { return x.perform(ctx, c) })
	}
	if err != nil {
		x.failed = true
		return fmt.Errorf("%v: %w", c, err)
	}
	return nil
}

func (x *execution) perform(ctx context.Context, c Choice) error {
	concerned := c.Side
	if c.Act != Call {
		concerned = c.Side.Peer()
	}
	if err := x.ends[concerned].tick(); err != nil {
		return err
	}
	var text string
	if c.Act == Call {
		text = x.ends[c.Side].Name
		if err := x.call(c.Side); err != nil {
			return err
		}
	} else {
		do := map[Act]func(segment.Side, int) error{Deliver: x.hand.Deliver, Drop: x.hand.Drop, Duplicate: x.hand.Duplicate}[c.Act]
		if err := do(c.Side, c.Number); err != nil {
			return err
		}
		text = x.hand.Sent(c.Side)[c.Number-1].Segment.String()
	}
	if err := x.quiesce(ctx, concerned); err != nil {
		return err
	}
	return x.writeDown(c, text)
}

// tick waits until the timestamps that TCP sends, of a millisecond each (include/net/tcp.h,
// TCP_TS_HZ), have moved on by two since an end sent anything last. Whether its peer takes
// a segment for an old one depends on the timestamp (RFC 7323 section 5.3), with one
// millisecond of grace in places (TCP_PAWS_WINDOW): what an end sends after two choices is
// apart in every execution then, as it would be on a longer path.
func (e *end) tick() error {
	const millisecond = 1e6
	at := unix.NsecToTimespec((int64(e.last)/millisecond + 2) * millisecond)
	for {
		err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the clock to tick: clock_nanosleep: %w", err)
		default:
			return nil
		}
	}
}

// call makes an end's closing call. That the connection is gone by then is for the
// wire to tell.
func (x *execution) call(side segment.Side) error {
	e := x.ends[side]
	if e.called {
		return errors.New("the call has been made")
	}
	e.called = true
	_, err := e.conn.End(e.Closing)
	if errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return nil
	}
	return err
}

// quiesce returns when a host is done with what was done to it: its kernel, and its
// program, which reads whatever there is.
func (x *execution) quiesce(ctx context.Context, side segment.Side) error {
	for {
		if err := x.hand.Settle(ctx, side); err != nil {
			return err
		}
		if read, err := x.readOn(side); err != nil || !read {
			return err
		}
	}
}

// readOn has a program that reads on read what has arrived, and reports whether there was
// anything.
func (x *execution) readOn(side segment.Side) (read bool, err error) {
	e := x.ends[side]
	if !e.Reads || !e.called || e.eof || e.gone {
		return false, nil
	}
	octets := make([]byte, 4<<10)
	n, eof, err := e.conn.ReadReady(octets)
	e.heard, e.eof, read = append(e.heard, octets[:n]...), eof, n > 0 || eof
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ENOTCONN) {
		e.gone, err = true, nil
	}
	return read, err
}

// writeDown writes down what a choice has led to.
func (x *execution) writeDown(c Choice, text string) error {
	before := [2]observe.Status{x.ends[0].status, x.ends[1].status}
	if err := x.look(); err != nil {
		return err
	}
	var became []string
	for _, side := range segment.Sides {
		e := x.ends[side]
		if describe(before[side]) != describe(e.status) {
			became = append(became, fmt.Sprintf("%v %s", side, describe(e.status)))
		}
		sent, err := x.news(e)
		if err != nil {
			return err
		}
		for i, s := range sent {
			became = append(became, fmt.Sprintf("%v sends %d (%v)", side, e.sent-len(sent)+i+1, s.Segment))
			// A connection that an end no longer knows is not ended by its RST.
			if s.Segment.Flags.Has(segment.RST) && before[side].State != observe.Closed {
				x.reset, x.asked = true, x.asked || c.Act == Call || x.refuses(c, side)
			}
		}
	}
	if c.Act != Call && c.Act != Drop && x.hand.Sent(c.Side)[c.Number-1].Segment.Flags.Has(segment.RST) && ended(before[c.Side.Peer()], x.ends[c.Side.Peer()].status) {
		x.reset = true
	}
	if len(became) == 0 {
		became = []string{"nothing"}
	}
	x.steps = append(x.steps, fmt.Sprintf("%v (%s): %s", c, text, strings.Join(became, ", ")))
	return nil
}

// refuses reports whether the choice hands octets to an end whose program reads no more:
// a RST has to tell the peer that they are lost (RFC 9293 section 3.6.1).
func (x *execution) refuses(c Choice, side segment.Side) bool {
	e := x.ends[side]
	return c.Act != Call && c.Side == side.Peer() && x.hand.Sent(c.Side)[c.Number-1].Segment.Length > 0 && e.called && !e.Reads
}

// ended reports whether a connection that was not through ended.
func ended(before, after observe.Status) bool {
	return !through(before.State) && after.State == observe.Closed
}

// look asks both kernels for the state of the connection.
func (x *execution) look() error {
	for _, side := range segment.Sides {
		e := x.ends[side]
		var err error
		if e.status, err = x.bed.kernels[side].StatusOf(e.conn.Local, e.conn.Remote); err != nil {
			return err
		}
		if now := describe(e.status); len(e.path) == 0 || e.path[len(e.path)-1] != now {
			e.path = append(e.path, now)
		}
	}
	return nil
}

// A Patient execution can be waited out after its end, to prove an outcome that says what
// it will come to. Live's are; the stage's RTOMin should then be small.
type Patient interface {
	// WaitOut waits until timers fire and delivers all that either end then sends, in
	// order, until both are through; ctx bounds that. It returns what was sent again,
	// such as "client F. 4416:4416(0) ack 753".
	WaitOut(ctx context.Context) (again []string, err error)
}

// WaitOut implements Patient.
func (x *execution) WaitOut(ctx context.Context) (again []string, err error) {
	err = x.hand.Do(func() error { return x.waitOut(ctx) })
	for _, e := range x.ends {
		for _, s := range x.hand.Sent(e.side)[e.sent:] {
			if e.repeats(s.Segment) {
				again = append(again, fmt.Sprintf("%v %v", e.side, s.Segment))
			}
		}
	}
	return again, err
}

func (x *execution) waitOut(ctx context.Context) error {
	for !x.over() {
		before := x.count()
		more := func(sent [2][]wire.Sent) bool { return len(sent[0])+len(sent[1]) > before }
		if err := x.hand.Wait(ctx, more); err != nil {
			return fmt.Errorf("wait for a segment to be sent again: %w", err)
		}
		for _, side := range segment.Sides {
			if err := x.pump(ctx, side); err != nil {
				return err
			}
			if err := x.quiesce(ctx, side); err != nil {
				return err
			}
		}
		if err := x.look(); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) count() int {
	return len(x.hand.Sent(segment.Client)) + len(x.hand.Sent(segment.Server))
}

// closingTime bounds what is left to do when an execution is given up.
const closingTime = 10 * time.Second

// Close implements Execution. The bed is used again if nothing is left in it.
func (x *execution) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	if x.abandon(ctx) != nil || x.failed || x.bed.clean() != nil {
		x.bed.close()
		return
	}
	x.stage.giveBack(x.bed)
}

// abandon ends what is left of the connection at once.
func (x *execution) abandon(ctx context.Context) error {
	defer func() {
		for _, e := range x.ends {
			if e.conn != nil { // what is closed stays so
				_, _ = e.conn.End(sock.CloseLingering(0))
				_, _ = e.conn.Close()
			}
		}
	}()
	if x.hand == nil {
		return errors.New("the connection was not opened")
	}
	if err := x.hand.Do(func() error { return x.destroy(ctx) }); err != nil {
		return err
	}
	return x.hand.Release()
}

// bury ends what no program holds any more. Some kernels cannot be told to (SOCK_DESTROY),
// but a RST that has the very next sequence number is accepted in every state, TIME_WAIT
// included (RFC 5961 section 3.2; net/ipv4/tcp_minisocks.c, tcp_timewait_state_process).
func (x *execution) bury(e *end) error {
	kernel := x.bed.kernels[e.side]
	_ = kernel.Destroy(e.conn.Local, e.conn.Remote)
	status, err := kernel.StatusOf(e.conn.Local, e.conn.Remote)
	if err != nil || status.State == observe.Closed {
		return err
	}
	return x.hand.Inject(e.side, segment.Segment{Flags: segment.RST, Seq: e.acked})
}

// destroy ends both sockets, and takes off the wire what is left there.
func (x *execution) destroy(ctx context.Context) error {
	for _, e := range x.ends {
		_, _ = e.conn.End(sock.CloseLingering(0))
		_, _ = e.conn.Close()
		if err := x.bury(e); err != nil {
			return err
		}
	}
	for _, side := range segment.Sides {
		if err := x.hand.Settle(ctx, side); err != nil {
			return err
		}
		for i, s := range x.hand.Sent(side) {
			if !s.Kept {
				continue
			}
			if err := x.hand.Drop(side, i+1); err != nil {
				return err
			}
		}
	}
	return nil
}
