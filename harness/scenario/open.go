package scenario

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// build makes the lab and starts recording.
func (r *run) build(ctx context.Context) error {
	var err error
	if err = r.buildLab(); err != nil {
		if errors.Is(err, lab.ErrNoIPv6) {
			err = &kernel.MissingCapability{Name: "IPv6", Err: err}
		}
		return err
	}
	r.client = &actor{Behaviour: r.Client, host: r.pair.Client.Host, link: r.pair.Client, peer: r.pair.Server, end: &r.exchange.Client}
	r.server = &actor{Behaviour: r.Server, host: r.pair.Server.Host, link: r.pair.Server, peer: r.pair.Client, end: &r.exchange.Server}
	for _, a := range r.actors() {
		if err := a.configure(); err != nil {
			return err
		}
	}
	if r.capture, err = capture.Start(ctx, [2]*lab.End{r.pair.Client, r.pair.Server}); err != nil {
		return err
	}
	r.lab.OnClose(r.capture.Close)
	return nil
}

// buildLab builds what the disturbance works in, or a plain pair.
func (r *run) buildLab() (err error) {
	if r.Disturbance == nil {
		r.pair, err = topologies.NewPair(r.lab, r.Family)
		return err
	}
	if r.stage, err = r.Disturbance.Build(r.lab, r.Family); err == nil {
		r.pair = r.stage.Ends()
		r.stage.Watch(r.broken)
	}
	return err
}

// configure sets what the end's namespace is to be like.
func (a *actor) configure() error {
	for name, value := range a.Sysctls {
		err := a.host.SetSysctl(name, value)
		if errors.Is(err, fs.ErrNotExist) {
			return &kernel.MissingCapability{Name: "sysctl " + name, Err: err}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.host.Name, err)
		}
	}
	if a.RTOMin == 0 {
		return nil
	}
	return a.link.RouteWithRTOMin(a.peer.Addresses[0].Addr(), a.RTOMin)
}

func (r *run) actors() [2]*actor { return [2]*actor{r.client, r.server} }

// real are the actors that have a socket.
func (r *run) real() []*actor {
	actors := r.actors()
	return slices.DeleteFunc(actors[:], func(a *actor) bool { return a.conn == nil })
}

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
	r.lab.OnClose(listener.Close)
	if err := r.dial(ctx, listener.Addr); err != nil {
		return err
	}
	if r.server.conn, err = listener.Accept(); err != nil {
		return err
	}
	r.lab.OnClose(r.server.abandon)
	for _, a := range r.real() {
		if a.Prepare == nil {
			continue
		}
		if err := a.Prepare(a.conn); err != nil {
			return fmt.Errorf("prepare the %s's socket: %w", a.host.Name, err)
		}
	}
	return nil
}

// abandon ends what is left of an actor's connection at once, because a socket
// without a program keeps its namespace until the kernel gives it up: a minute
// or two. What the program still has ends with a RST (SO_LINGER of 0); what it
// has closed, by SOCK_DESTROY, where the kernel and the library can do that.
func (a *actor) abandon() {
	_, _ = a.conn.End(sock.CloseLingering(0))
	_, _ = a.conn.Close()
	_ = a.host.Netlink.SocketDestroy(net.TCPAddrFromAddrPort(a.conn.Local), net.TCPAddrFromAddrPort(a.conn.Remote))
}

// converse sends a request and a response, and waits until both ends have been
// told that they arrived, so that nothing but the teardown is left to happen.
func (r *run) converse(ctx context.Context) error {
	if err := r.request(); err != nil {
		return err
	}
	if err := r.server.conn.Read(requestSize); err != nil {
		return err
	}
	if err := r.server.conn.Write(make([]byte, responseSize)); err != nil {
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
	return toldOf(sightings[segment.Client], requestSize) && toldOf(sightings[segment.Server], responseSize)
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
		if a.before, err = observe.ReadCounters(a.host); err != nil {
			return err
		}
	}
	if r.stage == nil {
		return nil
	}
	var err error
	r.disturb, err = r.stage.Install(onLink(r.server.conn.Remote), onLink(r.server.conn.Local))
	return err
}

// onLink is an address as the link knows it.
func onLink(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
