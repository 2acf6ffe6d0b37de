package topologies_test

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

func wired(t *testing.T, options ...wire.Option) topologies.Wired {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	w, err := topologies.NewWired(l, topologies.IPv4, options...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A kernel measures the round trip by the handshake, each for itself.
func TestTheHandshakeMeasuresTheRoundTrip(t *testing.T) {
	t.Parallel()
	const roundTrip = 40 * time.Millisecond
	client, server := connect(t, patience(t), wired(t, wire.RoundTrip(roundTrip)).Pair)
	for name, c := range map[string]*sock.Conn{"client": client, "server": server} {
		info, err := c.Info()
		if err != nil {
			t.Fatal(err)
		}
		if measured := time.Duration(info.TCP.Rtt) * time.Microsecond; measured < roundTrip {
			t.Errorf("the %s measured %v, less than the wire's %v", name, measured, roundTrip)
		}
	}
}

// Of many tries on a busy machine, the fastest took little more than the wire
// asks for, and none less.
func TestARoundTripIsHalfEachWay(t *testing.T) {
	t.Parallel()
	const roundTrip = 20 * time.Millisecond
	w := wired(t, wire.RoundTrip(roundTrip))
	client, server, to := datagrams(t, w.Pair)
	buffer := make([]byte, 8)
	least := [2]time.Duration{time.Hour, time.Hour}
	for range 20 {
		begin := time.Now()
		if err := unix.Sendto(client, buffer, 0, to); err != nil {
			t.Fatal(err)
		}
		_, from, err := receive(server, buffer)
		if err != nil {
			t.Fatal(err)
		}
		there := time.Now()
		if err := unix.Sendto(server, buffer, 0, from); err != nil {
			t.Fatal(err)
		}
		if _, _, err := receive(client, buffer); err != nil {
			t.Fatal(err)
		}
		least[segment.Client] = min(least[segment.Client], there.Sub(begin))
		least[segment.Server] = min(least[segment.Server], time.Since(there))
	}
	for _, side := range segment.Sides {
		if half := roundTrip / 2; least[side] < half || least[side] >= 2*half {
			t.Errorf("from the %v it took at least %v, want %v", side, least[side], half)
		}
	}
}

func TestARoundTripKeepsTheOrder(t *testing.T) {
	t.Parallel()
	client, server, to := datagrams(t, wired(t, wire.RoundTrip(4*time.Millisecond)).Pair)
	const batch = 40
	for i := range uint64(batch) {
		if err := unix.Sendto(client, binary.BigEndian.AppendUint64(nil, i), 0, to); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 8)
	for want := range uint64(batch) {
		if _, _, err := receive(server, buffer); err != nil {
			t.Fatalf("datagram %d: %v", want, err)
		}
		if got := binary.BigEndian.Uint64(buffer); got != want {
			t.Fatalf("datagram %d came in the place of %d", got, want)
		}
	}
}

// What is under way is no rule's doing, but more may come of it.
func TestAWireIsNotIdleWhileSomethingIsUnderWay(t *testing.T) {
	t.Parallel()
	w := wired(t, wire.RoundTrip(time.Hour))
	client, _, to := datagrams(t, w.Pair)
	if !w.Wire.Idle() {
		t.Error("a wire that nobody uses is not idle")
	}
	if err := unix.Sendto(client, make([]byte, 8), 0, to); err != nil {
		t.Fatal(err)
	}
	for ctx := patience(t); w.Wire.Counts().Passed[segment.Client] == 0; runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatal("the datagram did not come to the wire")
		}
	}
	if w.Wire.Idle() {
		t.Error("the wire is idle with a datagram under way")
	}
	if err := w.Wire.Finished(); err != nil {
		t.Errorf("a wire without rules: %v", err)
	}
}

// The wire is empty again by the time that anybody may know of the delivery.
func TestAWireIsIdleOnceAllIsDelivered(t *testing.T) {
	t.Parallel()
	w := wired(t, wire.RoundTrip(time.Millisecond))
	client, server, to := datagrams(t, w.Pair)
	for range 20 {
		if err := unix.Sendto(client, make([]byte, 8), 0, to); err != nil {
			t.Fatal(err)
		}
		if _, _, err := receive(server, make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		if !w.Wire.Idle() {
			t.Fatal("a datagram was delivered and is still under way")
		}
	}
}

// The FIN held leaves the wire behind the ACK that it waits for, not when that
// one enters it, and both connections end.
func TestRulesWorkOnALongWire(t *testing.T) {
	t.Parallel()
	const roundTrip = 20 * time.Millisecond
	for _, text := range []string{
		"hold client fin until client ack-of-fin",
		"swap client fin with client ack-of-fin",
		"duplicate client fin",
		"delay client fin by 30ms",
	} {
		rule, err := wire.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		w := wired(t, wire.RoundTrip(roundTrip))
		client, server := connect(t, patience(t), w.Pair)
		w.Wire.Arm(rule)
		if _, err := client.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Shutdown(); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]*sock.Conn{"client": client, "server": server} {
			if _, err := c.ReadToEOF(); err != nil {
				t.Errorf("%s: the %s: %v", text, name, err)
			}
		}
		// Should the machine have slept for longer than a retransmission timer,
		// the FIN of which both ends know was another than the rule's.
		for ctx := patience(t); w.Wire.Finished() != nil; runtime.Gosched() {
			if ctx.Err() != nil {
				t.Fatalf("%s: %v", text, w.Wire.Finished())
			}
		}
	}
}

func TestARoundTripIsNotNegative(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	if _, err := topologies.NewWired(l, topologies.IPv4, wire.RoundTrip(-1)); err == nil || !strings.Contains(err.Error(), "the round trip -1ns is below 0") {
		t.Errorf("got %v", err)
	}
}
