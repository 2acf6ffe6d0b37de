package wire

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// connected is a connection between the two hosts, whose sockets are closed with the test.
func connected(t *testing.T, client, server *lab.End) (from, to int) {
	t.Helper()
	socket := func(end *lab.End) (fd int) {
		t.Helper()
		if err := end.Host.Do(func() (err error) {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(fd)
		})
		return fd
	}
	address := &unix.SockaddrInet4{Port: 7, Addr: server.Addresses[0].Addr().As4()}
	listener := socket(server)
	from = socket(client)
	to, _, err := 0, unix.Sockaddr(nil), errors.Join(unix.Bind(listener, address), unix.Listen(listener, 1), unix.Connect(from, address))
	if err == nil {
		to, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(to) })
	return from, to
}

// byHand takes a wire with a connection by hand.
func byHand(t *testing.T) (h *Hand, from, to int, ctx context.Context) {
	t.Helper()
	w, client, server, _ := open(t)
	if _, err := w.ByHand(); err == nil || !strings.Contains(err.Error(), "has not seen both SYNs") {
		t.Errorf("a wire that has seen no connection: %v", err)
	}
	from, to = connected(t, client, server)
	h, err := w.ByHand()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ByHand(); err == nil || !strings.Contains(err.Error(), "by hand already") {
		t.Errorf("a second hand: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return h, from, to, ctx
}

func texts(sent []Sent) (all []string) {
	for _, s := range sent {
		all = append(all, s.Segment.String())
	}
	return all
}

// say sends an octet and waits until the wire has it.
func say(t *testing.T, ctx context.Context, h *Hand, from int) {
	t.Helper()
	if err := h.Do(func() error {
		if err := unix.SetsockoptInt(from, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
		_, err := unix.Write(from, []byte{0})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(ctx, segment.Client); err != nil {
		t.Fatal(err)
	}
}

// unread is how many octets wait for the server's program.
func unread(t *testing.T, ctx context.Context, h *Hand, to int) int {
	t.Helper()
	if err := h.Settle(ctx, segment.Server); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(to, unix.SIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAHandKeepsWhatIsSentUntilItIsDelivered(t *testing.T) {
	t.Parallel()
	h, from, to, ctx := byHand(t)
	say(t, ctx, h, from)
	say(t, ctx, h, from)
	sent := h.Sent(segment.Client)
	if got, want := texts(sent), []string{"P. 1:2(1) ack 1", "P. 2:3(1) ack 1"}; !slices.Equal(got, want) || !sent[0].Kept || !sent[1].Kept {
		t.Fatalf("the client sent %q, %v", got, sent)
	}
	if n := unread(t, ctx, h, to); n != 0 {
		t.Fatalf("%d octets were delivered by themselves", n)
	}
	// The second one first, and twice: each time the server asks for the first.
	for _, deliver := range []func(segment.Side, int) error{h.Duplicate, h.Deliver} {
		if err := deliver(segment.Client, 2); err != nil {
			t.Fatal(err)
		}
		if n := unread(t, ctx, h, to); n != 0 {
			t.Errorf("%d octets can be read without the first", n)
		}
	}
	if err := h.Deliver(segment.Client, 2); err == nil || !strings.Contains(err.Error(), "keeps no segment 2 of the client") {
		t.Errorf("a third delivery of two: %v", err)
	}
	if err := h.Deliver(segment.Client, 1); err != nil {
		t.Fatal(err)
	}
	if n := unread(t, ctx, h, to); n != 2 {
		t.Errorf("%d octets can be read when both have been delivered", n)
	}
	answers := texts(h.Sent(segment.Server))
	if len(answers) < 2 || answers[0] != ". 1:1(0) ack 1" || answers[1] != ". 1:1(0) ack 1" {
		t.Errorf("the server answered %q", answers)
	}
}

func TestAHandLetsGoOfNothingThatItKeeps(t *testing.T) {
	t.Parallel()
	h, from, to, ctx := byHand(t)
	say(t, ctx, h, from)
	if err := h.Release(); err == nil || !strings.Contains(err.Error(), "it keeps client 1, P. 1:2(1) ack 1") {
		t.Errorf("a wire that keeps a segment was released: %v", err)
	}
	if err := h.Recount(); err == nil {
		t.Error("a wire that keeps a segment counted anew")
	}
	if err := h.Drop(segment.Client, 1); err != nil {
		t.Fatal(err)
	}
	if n := unread(t, ctx, h, to); n != 0 {
		t.Errorf("%d octets of what was dropped", n)
	}
	if err := h.Recount(); err != nil || len(h.Sent(segment.Client)) != 0 {
		t.Errorf("counted anew: %v, %v", h.Sent(segment.Client), err)
	}
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
	// Whatever comes now is relayed: the dropped octet comes again, by a timer.
	if _, err := unix.Read(to, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// A wire that is closed under a hand is no trap.
func TestAHandOfAClosedWireSaysSo(t *testing.T) {
	t.Parallel()
	h, _, _, ctx := byHand(t)
	h.wire.Close()
	for name, err := range map[string]error{
		"do": h.Do(func() error { return nil }), "settle": h.Settle(ctx, segment.Client),
		"wait": h.Wait(ctx, func([2][]Sent) bool { return false }),
	} {
		if err == nil || !strings.Contains(err.Error(), "the wire relays no more") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A host that answers no echo request is not waited for for ever.
func TestSettlingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	h, _, _, _ := byHand(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.wire.mu.Lock() // the request will be for another address than the host's
	h.wire.board.connection.sides[segment.Server].address = h.wire.board.connection.sides[segment.Client].address
	h.wire.mu.Unlock()
	if err := h.Settle(ctx, segment.Server); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
