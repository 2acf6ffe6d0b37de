package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
)

func (r *run) actors() [2]*actor { return [2]*actor{r.client, r.server} }

// real are the actors whose kernel has a socket.
func (r *run) real() []*actor {
	actors := r.actors()
	return slices.DeleteFunc(actors[:], func(a *actor) bool { return !a.observed() })
}

// observed says whether there is a kernel to ask about the actor's end.
func (a *actor) observed() bool { return a.local.IsValid() }

// take has an actor be the owner of a socket.
func (a *actor) take(conn *sock.Conn) { a.conn, a.local, a.remote = conn, conn.Local, conn.Remote }

// connect opens the connection.
func (r *run) connect(ctx context.Context) error {
	address := netip.AddrPortFrom(r.Family.Socket(r.pair.Server.Addresses[0].Addr()), 0)
	listener, err := sock.Listen(ctx, r.server.host, address)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return &kernel.MissingCapability{Name: "IPv6", Err: err}
	}
	if err != nil {
		return err
	}
	r.onEnd(listener.Close)
	if err := r.dial(ctx, listener.Addr); err != nil {
		return err
	}
	accepted, err := listener.Accept()
	if err != nil {
		return err
	}
	r.server.take(accepted)
	r.onEnd(r.server.abandon)
	for _, a := range r.real() {
		if a.Prepare != nil {
			if err := a.Prepare(a.conn); err != nil {
				return fmt.Errorf("prepare the %s's socket: %w", a.host.Name, err)
			}
		}
		a.end.Setup = a.setup()
	}
	return nil
}

// abandon ends what is left of an actor's connection at once, because a socket
// without a program keeps its namespace until the kernel gives it up: a minute
// or two. What the program still has ends with a RST (SO_LINGER of 0); what it
// has closed, by SOCK_DESTROY, where the kernel can do that.
func (a *actor) abandon() {
	_, _ = a.conn.End(sock.CloseLingering(0))
	_, _ = a.conn.Close()
	_ = a.kernel.Destroy(a.local, a.remote)
}

// converse sends a request and a response, and waits until both ends have been
// told that they arrived, so that nothing but the teardown is left to happen.
func (r *run) converse(ctx context.Context) error {
	if err := r.request(); err != nil {
		return err
	}
	if err := r.receive(r.server, RequestSize); err != nil {
		return err
	}
	if err := r.send(r.server, ResponseSize); err != nil {
		return err
	}
	if err := r.readResponse(ctx); err != nil {
		return err
	}
	if err := r.capture.Wait(ctx, acknowledged); err != nil {
		return fmt.Errorf("wait for the request and the response to be acknowledged: %w", err)
	}
	return nil
}

// acknowledged reports whether both the request and the response have been.
func acknowledged(sightings [2][]segment.Sighting) bool {
	return toldOf(sightings[segment.Client], RequestSize) && toldOf(sightings[segment.Server], ResponseSize)
}

// toldOf reports whether an end that has sent a SYN and so many octets has been
// told that all of it arrived.
func toldOf(sightings []segment.Sighting, octets int) bool {
	var (
		end   uint32
		begun bool
	)
	for _, s := range sightings {
		switch {
		case s.Sent && s.Flags.Has(segment.SYN):
			end, begun = s.End()+uint32(octets), true
		case !s.Sent && begun && s.Covers(end):
			return true
		}
	}
	return false
}

// prepare reads what everything later is compared with, and puts the
// disturbance in place.
func (r *run) prepare(context.Context) error {
	for _, a := range r.real() {
		info, err := a.conn.Info()
		if err != nil {
			return err
		}
		a.end.RTO = time.Duration(info.TCP.Rto) * time.Microsecond
		a.resent = info.TCP.Total_retrans
		if a.before, err = a.kernel.Counters(); err != nil {
			return err
		}
	}
	if r.stage == nil {
		return nil
	}
	var err error
	r.disturb, err = r.stage.Install(onLink(r.server.remote), onLink(r.server.local))
	return err
}

// onLink is an address as the link knows it.
func onLink(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
