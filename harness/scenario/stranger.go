package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/segment"
)

// A client of somebody else's closes when it will, so what it sends then is held from the
// beginning.
const (
	// holdClientFIN keeps its FIN from the server until that has made its own.
	holdClientFIN = "maybe hold client fin until released"
	// holdACK keeps the server's ACK of its FIN from it until it is known by which call it
	// has closed: of a connection that is over, nothing tells.
	holdACK = "maybe hold server ack-of-fin until released"
)

// send starts a client of somebody else's. Its SYN is kept from the server, and the
// server's from it, until their kernels have been asked to tell of the connection: it
// is not ours, and would not wait.
func (v *visitor) send(ctx context.Context) error {
	const holdClient, holdServer = "hold client syn until released", "hold server syn until released"
	holdLeaving := holdClientFIN
	if v.Manner == Undisturbed {
		holdLeaving = holdACK
	}
	if err := v.arm(holdClient, holdServer, holdFIN, holdLeaving); err != nil {
		return err
	}
	client, err := program.Start(v.client.host, v.Client)
	if err != nil {
		return err
	}
	v.onEnd(func() { v.dismiss(client) })
	syn, err := v.awaitSYN(ctx, segment.Client, client)
	if err != nil {
		return err
	}
	// As its socket calls them.
	v.client.local, v.client.remote = syn.Src, syn.Dst
	v.server.local, v.server.remote = syn.Dst, syn.Src
	v.onEnd(func() { _ = v.client.kernel.Destroy(v.client.local, v.client.remote) })
	// Linux 5.10 destroys no orphan, and yet takes its FIN from it, to be sent again never
	// (net/ipv4/tcp.c, tcp_abort): what is on its way then has to arrive.
	v.onEnd(func() { _ = v.release(holdFIN, holdLeaving) })
	if err := v.watchSocket(v.client); err != nil {
		return err
	}
	if err := v.release(holdClient); err != nil {
		return err
	}
	if _, err := v.awaitSYN(ctx, segment.Server, client); err != nil {
		return err
	}
	if err := v.watchSocket(v.server); err != nil {
		return err
	}
	return v.release(holdServer)
}

// dismiss gives the client a moment to end by itself, tells how it did if that was badly,
// and stops it.
func (v *visitor) dismiss(client *program.Program) {
	const moment = time.Second
	select {
	case <-client.Done():
		if err := client.Err(); err != nil {
			v.client.end.Failed = err.Error()
		}
	case <-time.After(moment):
	}
	client.Stop()
}

// seeOff lets everything arrive in the order in which it was sent, whichever closes first.
func (v *visitor) seeOff(ctx context.Context, serverEnded bool) error {
	if !serverEnded {
		if _, err := v.awaitFIN(ctx, v.server); err != nil {
			return err
		}
	}
	if !v.clientClosed() {
		// The server's ACK of the client's FIN will come behind its own FIN.
		if err := v.release(holdFIN); err != nil {
			return err
		}
	}
	if _, err := v.awaitFIN(ctx, v.client); err != nil {
		return err
	}
	return v.release(holdFIN, holdACK)
}

// clientClosed reports whether the server's tap has seen the client's FIN.
func (v *visitor) clientClosed() (closed bool) {
	_ = v.capture.Wait(context.Background(), func(sightings [2][]segment.Sighting) bool {
		closed = slices.ContainsFunc(sightings[segment.Server], func(s segment.Sighting) bool {
			return !s.Sent && s.Flags.Has(segment.FIN)
		})
		return true
	})
	return closed
}

// seeOffAtOnce waits until the client has closed before the server's FIN has come to it,
// and then lets both FINs arrive.
func (v *visitor) seeOffAtOnce(ctx context.Context) error {
	patient, stop := context.WithTimeout(ctx, v.patience())
	defer stop()
	ended, err := v.awaitFIN(patient, v.client)
	switch {
	case err != nil:
		return err
	case !ended:
		return ErrClientWaits
	case v.Manner == FINsCross:
		return v.release(holdFIN, holdClientFIN)
	}
	if err := v.release(holdFIN); err != nil {
		return err
	}
	answered := func(sightings [2][]segment.Sighting) bool { return over(sightings) || finAcknowledged(sightings) }
	if err := v.capture.Wait(ctx, answered); err != nil {
		return fmt.Errorf("wait for the server's FIN to be acknowledged: %w", err)
	}
	return v.release(holdClientFIN)
}

// awaitSYN waits until a side has sent its SYN.
func (v *visitor) awaitSYN(ctx context.Context, from segment.Side, client *program.Program) (syn segment.Sighting, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-client.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err = v.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		for _, s := range sightings[from] {
			if s.Sent && s.Flags.Has(segment.SYN) && v.isService(from, s) {
				syn = s
				return true
			}
		}
		return false
	})
	if err == nil {
		return syn, nil
	}
	select {
	case <-client.Done():
		return syn, fmt.Errorf("the client opened no connection to %v: %w", v.site.address, client.EndedEarly())
	default:
		return syn, fmt.Errorf("wait for the client to connect to %v: %w\n%s", v.site.address, err, client.Output())
	}
}

// isService says whether a segment of a side's goes to the service, or comes from it.
func (v *visitor) isService(from segment.Side, s segment.Sighting) bool {
	at := []netip.AddrPort{segment.Client: s.Dst, segment.Server: s.Src}[from]
	return at == v.site.address
}

// strays are both ends of each connection that the client has opened besides the one that
// is watched.
func (v *visitor) strays(ctx context.Context) (ends []*actor) {
	if !v.byProgram() {
		return nil
	}
	seen := map[[2]netip.AddrPort]bool{{v.client.local, v.client.remote}: true}
	for _, s := range v.capture.Stop(ctx).Sightings[segment.Client] {
		connection := [2]netip.AddrPort{s.Src, s.Dst}
		if !s.Sent || !s.Flags.Has(segment.SYN) || seen[connection] {
			continue
		}
		seen[connection] = true
		ends = append(ends,
			&actor{host: v.client.host, kernel: v.client.kernel, local: s.Src, remote: s.Dst},
			&actor{host: v.server.host, kernel: v.server.kernel, local: s.Dst, remote: s.Src})
	}
	return ends
}
