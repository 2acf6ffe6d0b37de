package topologies_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/forge"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// Nothing leaves the client's end but what the client forges. Where its host has
// the address, its kernel answers too: there the same client is reset.
func TestNoKernelAnswersForAForgedClient(t *testing.T) {
	t.Parallel()
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		sent, resets := played(t, topologies.NewForged, family)
		// SYN, ACK, the request, the ACK of the response, and of the server's FIN.
		if sent != 5 || resets != 0 {
			t.Errorf("over %s the client's end sent %d segments, %d of them RSTs", family, sent, resets)
		}
		if _, resets := played(t, topologies.NewPair, family); resets == 0 {
			t.Errorf("over %s a kernel that has the address sends no RST: the above proves nothing", family)
		}
	}
}

// played counts what leaves the client's end while a forged client speaks to a
// socket that closes.
func played(t *testing.T, build func(*lab.Lab, topologies.Family) (topologies.Pair, error), family topologies.Family) (sent, resets int) {
	t.Helper()
	l := lab.New()
	defer l.Close()
	pair, err := build(l, family)
	if err != nil {
		t.Fatal(err)
	}
	taps, err := capture.Start(t.Context(), [2]*lab.End{pair.Client, pair.Server})
	if err != nil {
		t.Fatal(err)
	}
	l.OnClose(taps.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	failed := converse(ctx, l, pair)
	recording := taps.Stop(ctx)
	if len(recording.Doubts) > 0 || recording.Foreign > 0 {
		t.Errorf("%d frames that are no segments; doubts: %v", recording.Foreign, recording.Doubts)
	}
	for _, s := range recording.Sightings[0] {
		if s.Sent {
			sent++
		}
		if s.Sent && s.Flags.Has(segment.RST) {
			resets++
		}
	}
	if failed != nil && resets == 0 {
		t.Error(failed)
	}
	return sent, resets
}

// converse exchanges ten octets each way and has the server close.
func converse(ctx context.Context, l *lab.Lab, pair topologies.Pair) error {
	listener, err := sock.Listen(ctx, pair.Server.Host, netip.AddrPortFrom(pair.Server.Addresses[0].Addr(), 0))
	if err != nil {
		return err
	}
	l.OnClose(listener.Close)
	client, err := forge.Dial(ctx, pair.Client, pair.Server, listener.Addr)
	if err != nil {
		return err
	}
	l.OnClose(client.Abort)
	if err := client.Write(10); err != nil {
		return err
	}
	if _, err := client.Await(ctx, func(s segment.Segment) bool { return s.Covers(client.SndNxt) }); err != nil {
		return err
	}
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	l.OnClose(func() { _, _ = server.Close() })
	if err := server.Write(make([]byte, 10)); err != nil {
		return err
	}
	if err := client.Read(ctx, 10); err != nil {
		return err
	}
	if _, err := server.Shutdown(); err != nil {
		return err
	}
	if _, err := client.Await(ctx, func(s segment.Segment) bool { return s.Flags.Has(segment.FIN) }); err != nil {
		return err
	}
	return client.Acknowledge()
}
