package scenario

import (
	"context"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// The names of calls that are no sock.Closing's.
const (
	// CloseUnread is a close() that finds something unread, and so sends a RST and no FIN
	// (RFC 2525 section 2.17; net/ipv4/tcp.c, __tcp_close).
	CloseUnread = "close() with data unread"
	// ShutdownClose is shutdown(SHUT_WR), and close() right behind.
	ShutdownClose = "shutdown(SHUT_WR), close()"
	// ShutdownReset is the same with SO_LINGER 0: the FIN is followed by a RST.
	ShutdownReset = "shutdown(SHUT_WR), close() with SO_LINGER 0 s"
	// UnknownCall is one that nothing tells of.
	UnknownCall = "an unknown call"
)

// A parting is a socket when its program has had a FIN made, and a little later.
type parting struct{ first, then observe.Socket }

// atOnce is how long behind a shutdown() a close() is taken for a part of the same end.
const atOnce = 50 * time.Millisecond

// part asks for the actor's socket, and again until its program has let go of it, or has
// not done so at once. No event tells of that.
func (a *actor) part(ctx context.Context) (*parting, error) {
	first, err := a.kernel.Inspect(a.local, a.remote)
	p := &parting{first: first, then: first}
	if err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for p.then.Held {
		select {
		case <-again.C:
		case <-ctx.Done():
			return p, nil
		}
		if p.then, err = a.kernel.Inspect(a.local, a.remote); err != nil {
			return p, err
		}
	}
	return p, nil
}

// tellCalls writes down by which call each end that is somebody else's program has ended
// the connection, and when: when its kernel told of the step that the call made, or its
// tap of the FIN or RST that came of it.
func (v *visitor) tellCalls() {
	for _, a := range v.actors() {
		// What came before the connection was open is no part of its end.
		a.end.Notices = slices.DeleteFunc(a.end.Notices, func(n teardown.Notice) bool {
			return n.Kind == teardown.StateNotice && (n.To == "ESTABLISHED" || n.To == "SYN_RECV") && n.Source != teardown.SockDiag
		})
		if a.conn != nil {
			continue
		}
		i := slices.IndexFunc(a.end.Sightings, func(s segment.Sighting) bool {
			return s.Sent && (s.Flags.Has(segment.FIN) || s.Flags.Has(segment.RST))
		})
		if i < 0 {
			continue
		}
		made := a.end.Sightings[i]
		if made.Flags.Has(segment.RST) && a.end.Counters["TCPAbortOnTimeout"] > 0 {
			continue // the kernel gave up by itself (net/ipv4/tcp_timer.c, tcp_keepalive_timer)
		}
		a.end.Call, a.end.CalledAt = v.callOf(a, made), made.At
		for _, n := range a.end.Notices {
			if n.Kind == teardown.StateNotice && n.Source != teardown.SockDiag && (n.To == "FIN_WAIT1" || n.To == "LAST_ACK") {
				a.end.CalledAt = min(a.end.CalledAt, n.At)
			}
		}
	}
}

// callOf is the call that made an end's FIN or RST, told by who holds the socket, in
// which directions it was shut down, and what the kernel counted. A shutdown() with a
// close() right behind may be taken for the close() alone; a close() that waits
// (SO_LINGER), for the shutdown() of both directions that it begins with.
func (v *visitor) callOf(a *actor, made segment.Sighting) string {
	switch counters := a.end.Counters; {
	case made.Flags.Has(segment.RST) && counters["TCPAbortOnClose"] > 0:
		return CloseUnread
	case made.Flags.Has(segment.RST) && counters["TCPAbortOnData"] > 0:
		return sock.CloseLingering(0).Name
	case made.Flags.Has(segment.RST):
		return UnknownCall
	}
	p := v.ended[a.side]
	if p == nil {
		p = sampled(a.end)
	}
	peerFirst := slices.ContainsFunc(a.end.Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && seen.Flags.Has(segment.FIN) && seen.At < made.At
	})
	// Data that comes behind the FIN of a socket that nobody holds is answered by a RST, too.
	refused := slices.ContainsFunc(a.end.Sightings, func(seen segment.Sighting) bool {
		return !seen.Sent && seen.Length > 0 && seen.At > made.At
	})
	switch {
	case p == nil:
		return UnknownCall
	case a.end.Counters["TCPAbortOnData"] > 0 && p.then.State == observe.Closed && !refused:
		return ShutdownReset
	case !p.first.Held, !p.then.Held && p.first.ShutReading && !peerFirst:
		// A close() shuts both directions down before it lets go of the socket
		// (net/ipv4/tcp.c, __tcp_close).
		return sock.Close.Name
	case !p.then.Held:
		return ShutdownClose
	case p.first.ShutReading && !peerFirst: // else the peer's FIN has done that
		return sock.ShutdownBoth.Name
	}
	return sock.ShutdownWrite.Name
}

// sampled is an end's socket as it was first found to have made a FIN; nil where it was
// not.
func sampled(end *teardown.End) *parting {
	for _, n := range end.Notices {
		if n.Source == teardown.SockDiag && slices.Contains([]string{"FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"}, n.To) {
			s := observe.Socket{Status: observe.Status{Held: !n.Orphan}}
			return &parting{first: s, then: s}
		}
	}
	return nil
}
