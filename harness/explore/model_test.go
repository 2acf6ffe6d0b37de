package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A model is a stage of two simple TCP ends, with the states and answers of Linux as
// far as a teardown without timers needs them.
type model struct {
	calls [2][]string
	// old has the ends drop what acknowledges too little while they are closing,
	// as before "net: tcp: accept old ack during closing".
	old bool
	// moody has every so many executions acknowledge a FIN twice.
	moody int64
	// shared has an end's answer depend on what both ends have done.
	shared bool

	begun  atomic.Int64
	open   atomic.Int64
	failAt int64
}

func (m *model) Begin(context.Context) (Execution, error) {
	n := m.begun.Add(1)
	if n == m.failAt {
		return nil, errors.New("no more labs")
	}
	m.open.Add(1)
	r := &rehearsal{model: m, moody: m.moody > 0 && n%m.moody == 0}
	for _, s := range segment.Sides {
		r.ends[s] = tcp{side: s, state: "ESTABLISHED", sndNxt: 1, sndUna: 1, rcvNxt: 1, path: []string{"ESTABLISHED"}}
	}
	return r, nil
}

// A rehearsal is an execution of a model's.
type rehearsal struct {
	model *model
	ends  [2]tcp
	// called is how many calls each side has made, sent what it has sent, and
	// copies how many of each are on the wire.
	called [2]int
	sent   [2][]segment.Segment
	copies [2][]int
	steps  []string
	reset  bool
	moody  bool
	done   int
}

// A tcp is one end of a model.
type tcp struct {
	side                   segment.Side
	state                  string
	closed                 bool
	sndNxt, sndUna, rcvNxt uint32
	early                  []segment.Segment
	path                   []string
}

func (r *rehearsal) Enabled(context.Context) ([]Enabled, error) {
	var out []Enabled
	for _, s := range segment.Sides {
		if r.called[s] < len(r.model.calls[s]) {
			out = append(out, Enabled{Choice{Call, s, 0}, r.model.calls[s][r.called[s]]})
		}
		for i, n := range r.copies[s] {
			if n > 0 {
				for _, act := range []Act{Deliver, Drop, Duplicate} {
					out = append(out, Enabled{Choice{act, s, i + 1}, r.sent[s][i].String()})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Enabled) int { return a.Choice.Compare(b.Choice) })
	return out, nil
}

func (r *rehearsal) Perform(_ context.Context, c Choice) error {
	r.steps = append(r.steps, c.String())
	r.done++
	if c.Act == Call {
		call := r.model.calls[c.Side][r.called[c.Side]]
		r.called[c.Side]++
		r.call(&r.ends[c.Side], call)
		return nil
	}
	i := c.Number - 1
	if c.Act != Duplicate {
		r.copies[c.Side][i]--
	}
	if c.Act != Drop {
		r.receive(&r.ends[c.Side.Peer()], r.sent[c.Side][i])
	}
	return nil
}

func (r *rehearsal) send(e *tcp, flags segment.Flags, length int) {
	s := segment.Segment{Flags: flags | segment.ACK, Seq: e.sndNxt, Ack: e.rcvNxt, Length: length}
	e.sndNxt = s.End()
	r.sent[e.side] = append(r.sent[e.side], s)
	r.copies[e.side] = append(r.copies[e.side], 1)
}

func (r *rehearsal) call(e *tcp, call string) {
	e.closed = e.closed || call == "close"
	switch {
	case call == "write":
		if e.state == "ESTABLISHED" || e.state == "CLOSE_WAIT" {
			r.send(e, segment.PSH, 100)
		}
	case e.state == "ESTABLISHED":
		r.send(e, segment.FIN, 0)
		e.to("FIN_WAIT1")
	case e.state == "CLOSE_WAIT":
		r.send(e, segment.FIN, 0)
		e.to("LAST_ACK")
	}
}

func (e *tcp) to(state string) {
	e.state = state
	if state == "FIN_WAIT2" && e.closed {
		state += " (timewait)"
	}
	e.path = append(e.path, state)
}

// full reports whether it is a socket, not a mini-socket.
func (e *tcp) full() bool { return e.state != "TIME_WAIT" && (e.state != "FIN_WAIT2" || !e.closed) }

func (r *rehearsal) receive(e *tcp, s segment.Segment) {
	switch {
	case s.Flags.Has(segment.RST):
		if e.state != "CLOSE" && e.state != "TIME_WAIT" {
			e.to("CLOSE")
			r.reset = true
		}
		return
	case e.state == "CLOSE":
		if s.Flags.Has(segment.FIN) || s.Length > 0 {
			r.send(&tcp{side: e.side, sndNxt: s.Ack, rcvNxt: 0}, segment.RST, 0)
		}
		return
	case e.full() && e.state != "ESTABLISHED" && r.model.old && segment.Before(s.Ack, e.sndUna):
		r.send(e, 0, 0)
		return
	}
	if segment.Before(e.sndUna, s.Ack) {
		e.sndUna = s.Ack
		if e.sndUna == e.sndNxt {
			switch e.state {
			case "FIN_WAIT1":
				e.to("FIN_WAIT2")
			case "CLOSING":
				e.to("TIME_WAIT")
			case "LAST_ACK":
				e.to("CLOSE")
			}
		}
	}
	if s.End() == s.Seq {
		return
	}
	e.early = append(e.early, s)
	for accepted := true; accepted; {
		accepted = false
		for i, s := range e.early {
			if s.Seq == e.rcvNxt && s.End() != s.Seq {
				e.early = slices.Delete(e.early, i, i+1)
				e.rcvNxt, accepted = s.End(), true
				if s.Flags.Has(segment.FIN) {
					e.peerClosed()
				}
				break
			}
		}
	}
	r.send(e, 0, 0)
	if (r.moody || r.model.shared && r.done == 3) && e.state != "CLOSE" {
		r.send(e, 0, 0)
	}
}

func (e *tcp) peerClosed() {
	switch e.state {
	case "ESTABLISHED":
		e.to("CLOSE_WAIT")
	case "FIN_WAIT1":
		e.to("CLOSING")
	case "FIN_WAIT2":
		e.to("TIME_WAIT")
	}
}

func (r *rehearsal) End(context.Context) (Result, error) {
	out := Result{Outcome: teardown.Clean, States: map[segment.Side]string{}, Paths: map[segment.Side][]string{}, Steps: r.steps}
	for s := range r.ends {
		e := &r.ends[s]
		out.States[e.side], out.Paths[e.side] = e.path[len(e.path)-1], e.path
		through := e.state == "TIME_WAIT" || e.state == "CLOSE"
		switch {
		case r.reset:
			out.Outcome = teardown.Reset
		case !through && e.sndUna != e.sndNxt:
			out.Outcome = teardown.Retransmitted
		case !through && out.Outcome == teardown.Clean:
			out.Outcome = teardown.Stuck
		}
	}
	if len(r.steps) == 0 {
		return Result{}, fmt.Errorf("the execution ended before it began")
	}
	return out, nil
}

func (r *rehearsal) Close() { r.model.open.Add(-1) }
