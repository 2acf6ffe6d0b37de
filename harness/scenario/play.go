package scenario

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// Play plays the scenario once, in a lab of its own that is gone when Play
// returns, and judges it. What the kernel under test does, however bad, is an
// outcome; an error means that the harness could not do its work, and is or
// wraps a *kernel.MissingCapability where the running kernel lacks something
// that the scenario needs. Play needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
func Play(ctx context.Context, s Scenario) (teardown.Trial, error) {
	exchange, err := s.record(ctx)
	if err != nil {
		return teardown.Trial{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	return teardown.Judge(exchange), nil
}

// A stage is a connected client and server, under observation.
type stage struct {
	Scenario
	lab      *lab.Lab
	pair     topologies.Pair
	capture  *capture.Capture
	client   *actor
	server   *actor
	disturb  Installed
	readers  sync.WaitGroup
	exchange *teardown.Exchange
}

// An actor is one end of the connection and what is written down of it.
type actor struct {
	Behaviour
	host   *lab.Host
	conn   *sock.Conn
	before observe.Counters
	end    *teardown.End
}

func (s Scenario) record(ctx context.Context) (*teardown.Exchange, error) {
	if s.Disturbance != nil {
		if err := s.Disturbance.Available(); err != nil {
			return nil, err
		}
	}
	st := &stage{Scenario: s, lab: lab.New(), exchange: &teardown.Exchange{Asked: s.asks()}}
	defer st.lab.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer st.readers.Wait()
	defer cancel()

	if err := st.build(ctx); err != nil {
		return nil, err
	}
	if err := st.connect(ctx); err != nil {
		return nil, err
	}
	if err := st.converse(ctx); err != nil {
		return nil, err
	}
	if err := st.prepare(); err != nil {
		return nil, err
	}
	closing, stop := context.WithTimeout(ctx, s.deadline())
	defer stop()
	err := st.close(closing)
	if err == nil {
		err = st.awaitEnd(closing)
	}
	switch {
	case err != nil && closing.Err() != nil && ctx.Err() == nil:
		st.exchange.GaveUp = true // that the deadline came first is an outcome
	case err != nil:
		return nil, err
	}
	if err := st.collect(ctx); err != nil {
		return nil, err
	}
	return st.exchange, nil
}

// build makes the lab and starts recording.
func (st *stage) build(ctx context.Context) error {
	var err error
	if st.pair, err = topologies.NewPair(st.lab, st.Family); err != nil {
		if errors.Is(err, lab.ErrNoIPv6) {
			err = &kernel.MissingCapability{Name: "IPv6", Err: err}
		}
		return err
	}
	st.client = &actor{Behaviour: st.Client, host: st.pair.Client.Host, end: &st.exchange.Client}
	st.server = &actor{Behaviour: st.Server, host: st.pair.Server.Host, end: &st.exchange.Server}
	for _, a := range st.actors() {
		for name, value := range a.Sysctls {
			err := a.host.SetSysctl(name, value)
			if errors.Is(err, fs.ErrNotExist) {
				return &kernel.MissingCapability{Name: "sysctl " + name, Err: err}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", a.host.Name, err)
			}
		}
	}
	if st.capture, err = capture.Start(ctx, [2]*lab.End{st.pair.Client, st.pair.Server}); err != nil {
		return err
	}
	st.lab.OnClose(st.capture.Close)
	return nil
}

func (st *stage) actors() [2]*actor { return [2]*actor{st.client, st.server} }

// connect opens the connection.
func (st *stage) connect(ctx context.Context) error {
	address := netip.AddrPortFrom(st.pair.Server.Addresses[0].Addr(), 0)
	listener, err := sock.Listen(ctx, st.server.host, address)
	if err != nil {
		return err
	}
	st.lab.OnClose(listener.Close)
	if st.client.conn, err = sock.Dial(ctx, st.client.host, listener.Addr); err != nil {
		return err
	}
	st.lab.OnClose(func() { _, _ = st.client.conn.Close() })
	if st.server.conn, err = listener.Accept(); err != nil {
		return err
	}
	st.lab.OnClose(func() { _, _ = st.server.conn.Close() })
	return nil
}

// converse sends a request and a response, and waits until both have been
// acknowledged, so that nothing but the teardown is left to happen.
func (st *stage) converse(ctx context.Context) error {
	if err := st.client.conn.Write(make([]byte, requestSize)); err != nil {
		return err
	}
	if err := st.server.conn.Read(requestSize); err != nil {
		return err
	}
	if err := st.server.conn.Write(make([]byte, responseSize)); err != nil {
		return err
	}
	if err := st.client.conn.Read(responseSize); err != nil {
		return err
	}
	if err := st.capture.Wait(ctx, acknowledged); err != nil {
		return fmt.Errorf("wait for the request and the response to be acknowledged: %w", err)
	}
	return nil
}

// acknowledged reports whether each end has been told that all it sent has
// arrived.
func acknowledged(sightings [2][]segment.Sighting) bool {
	for _, seen := range sightings {
		var sent, acked uint32
		for _, s := range seen {
			if s.Sent {
				sent = s.End()
			} else {
				acked = s.Ack
			}
		}
		if sent != acked {
			return false
		}
	}
	return true
}

// prepare reads the counters that everything later is compared with, and puts
// the disturbance in place.
func (st *stage) prepare() error {
	for _, a := range st.actors() {
		info, err := a.conn.Info()
		if err != nil {
			return err
		}
		a.end.RTO = time.Duration(info.TCP.Rto) * time.Microsecond
		if a.before, err = observe.ReadCounters(a.host); err != nil {
			return err
		}
	}
	if st.Disturbance == nil {
		return nil
	}
	var err error
	st.disturb, err = st.Disturbance.Install(st.pair, st.client.conn.Local, st.client.conn.Remote)
	return err
}

// close makes both closing calls.
func (st *stage) close(ctx context.Context) error {
	if !st.ServerFirst {
		if err := st.end(st.client); err != nil {
			return err
		}
		return st.end(st.server)
	}
	if err := st.end(st.server); err != nil {
		return err
	}
	if err := st.capture.Wait(ctx, finAcknowledged); err != nil {
		return fmt.Errorf("wait for the server's FIN to be acknowledged: %w", err)
	}
	return st.end(st.client)
}

// finAcknowledged reports whether the server has been told that its FIN has
// arrived.
func finAcknowledged(sightings [2][]segment.Sighting) bool {
	var fin *segment.Sighting
	for i, s := range sightings[teardown.Server] {
		switch {
		case s.Sent && s.Flags.Has(segment.FIN):
			fin = &sightings[teardown.Server][i]
		case !s.Sent && fin != nil && s.Covers(fin.End()):
			return true
		}
	}
	return false
}

// end makes an actor's closing call and, where it keeps its socket, has it read
// on.
func (st *stage) end(a *actor) error {
	how := a.closing()
	at, err := a.conn.End(how)
	if err != nil {
		return fmt.Errorf("%s: %w", a.host.Name, err)
	}
	a.end.Call, a.end.CalledAt = how.Name, st.capture.Since(at)
	if how.Keeps {
		st.readers.Go(func() { st.readOn(a) })
	}
	return nil
}

// readOn reads to the peer's FIN. That a RST or the deadline ends it instead is
// for the taps to tell.
func (st *stage) readOn(a *actor) {
	if at, err := a.conn.ReadToEOF(); err == nil {
		eof := st.capture.Since(at)
		a.end.EOF = &eof
	}
}

// awaitEnd waits until the teardown is over and the disturbance holds nothing
// any more.
func (st *stage) awaitEnd(ctx context.Context) error {
	var idle error
	err := st.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		over := (&teardown.Exchange{
			Client: teardown.End{Sightings: sightings[teardown.Client]},
			Server: teardown.End{Sightings: sightings[teardown.Server]},
		}).Over()
		if !over || st.disturb == nil {
			return over
		}
		var done bool
		done, idle = st.disturb.Idle()
		return done || idle != nil
	})
	return errors.Join(err, idle)
}

// settleTime bounds what is left to do when a teardown has ended: to prove the
// recording complete.
const settleTime = 10 * time.Second

// collect ends the recording and asks the kernel about what is left.
func (st *stage) collect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	recording := st.capture.Stop(ctx)
	for _, doubt := range recording.Doubts {
		st.exchange.Doubts = append(st.exchange.Doubts, doubt.Error())
	}
	if st.disturb != nil {
		if err := st.disturb.Fired(); err != nil {
			st.exchange.Doubts = append(st.exchange.Doubts, err.Error())
		}
	}
	for i, a := range st.actors() {
		a.end.Sightings = recording.Sightings[i]
		if err := a.interrogate(); err != nil {
			return err
		}
	}
	return nil
}

// interrogate writes down what the kernel says of an actor's socket and
// namespace.
func (a *actor) interrogate() error {
	after, err := observe.ReadCounters(a.host)
	if err != nil {
		return err
	}
	a.end.Counters = after.Moved(a.before)
	state, err := observe.StateOf(a.host, a.conn.Local, a.conn.Remote)
	if err != nil {
		return err
	}
	a.end.State = string(state)
	if !a.closing().Keeps {
		return nil
	}
	info, err := a.conn.Info()
	if err != nil {
		return err
	}
	a.end.Socket = &teardown.Socket{Drops: info.Drops, Retransmissions: info.TCP.Total_retrans}
	return nil
}
