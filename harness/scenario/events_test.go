package scenario_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/observe/events"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

// What the kernel reports of the overtaken FIN, whichever way it takes it: the
// states are the same, TIME_WAIT is not among them, and what was sent again was
// sent by the tail loss probe.
func TestEventsOfAnOvertakenFIN(t *testing.T) {
	for _, closing := range []sock.Closing{sock.ShutdownWrite, sock.Close} {
		t.Run(closing.Name, func(t *testing.T) { testEventsOfAnOvertakenFIN(t, closing) })
	}
}

func testEventsOfAnOvertakenFIN(t *testing.T, closing sock.Closing) {
	recorder, err := events.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	var sources []events.Source
	for _, s := range events.Sources {
		if missing := recorder.Missing()[s]; missing != nil {
			t.Logf("%s: %v", s, missing)
			continue
		}
		sources = append(sources, s)
	}
	if !slices.Contains(sources, events.InetSockSetState) || !slices.Contains(sources, events.TCPRetransmitSKB) {
		t.Skip("this kernel does not report what is looked for")
	}

	l := lab.New()
	t.Cleanup(l.Close)
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	ends := connect(t, w.Pair)
	var watches [2]*events.Watch
	for side, host := range []*lab.Host{w.Client.Host, w.Server.Host} {
		cookie, err := ends[side].Cookie()
		if err != nil {
			t.Fatal(err)
		}
		if watches[side], err = recorder.Watch(host, ends[side].Local, ends[side].Remote, cookie); err != nil {
			t.Fatal(err)
		}
	}
	rule, err := wire.ParseRule("hold client fin until client ack-of-fin")
	if err != nil {
		t.Fatal(err)
	}
	w.Wire.Arm(rule)
	client, server := ends[segment.Client], ends[segment.Server]
	if _, err := client.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.End(closing); err != nil {
		t.Fatal(err)
	}

	want := [2][]observe.State{
		segment.Client: {"ESTABLISHED", "FIN_WAIT1", "CLOSING", "CLOSE"},
		segment.Server: {"ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE"},
	}
	var recorded [2][]events.Event
	for side, w := range watches {
		recorded[side] = awaitClose(t, w)
		for _, source := range []events.Source{events.SockOps, events.InetSockSetState} {
			if slices.Contains(sources, source) && !slices.Equal(statesOf(recorded[side], source), want[side]) {
				t.Errorf("by %s side %d went through %v, want %v", source, side, statesOf(recorded[side], source), want[side])
			}
		}
	}
	if err := w.Wire.Finished(); err != nil {
		t.Fatal(err)
	}
	info, err := client.Info()
	if err != nil {
		t.Fatal(err)
	}
	var again []events.Event
	for _, e := range recorded[segment.Client] {
		if e.Source == events.TCPRetransmitSKB {
			again = append(again, e)
		}
	}
	if len(again) != int(info.TCP.Total_retrans) {
		t.Errorf("reported are %v, and TCP_INFO counts %d retransmissions", again, info.TCP.Total_retrans)
	}
	for _, e := range again {
		if e.Timer != events.TLP || !e.Flags.Has(segment.FIN) {
			t.Errorf("sent again was %v, want the FIN by the tail loss probe", e)
		}
	}
	for side, all := range recorded {
		for _, e := range all {
			t.Logf("%v %9v %v", segment.Side(side), e.At.Sub(recorded[segment.Client][0].At), e)
		}
	}
}

// connect opens a connection on which a few octets have gone both ways.
func connect(t *testing.T, pair topologies.Pair) (ends [2]*sock.Conn) {
	t.Helper()
	to := netip.AddrPortFrom(pair.Server.Addresses[0].Addr(), 0)
	listener, err := sock.Listen(t.Context(), pair.Server.Host, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.Close)
	if ends[segment.Client], err = sock.Dial(t.Context(), pair.Client.Host, listener.Addr); err != nil {
		t.Fatal(err)
	}
	if ends[segment.Server], err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	for side, c := range ends {
		t.Cleanup(func() { c.Close() })
		if err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := ends[1-side].Read(len("hello")); err != nil {
			t.Fatal(err)
		}
	}
	return ends
}

// awaitClose waits until the kernel has reported the connection closed.
func awaitClose(t *testing.T, w *events.Watch) []events.Event {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		recording, err := w.Recording()
		if err != nil {
			t.Fatal(err)
		}
		if recording.Lost > 0 {
			t.Fatalf("%d events were lost", recording.Lost)
		}
		states := statesOf(recording.Events, events.InetSockSetState)
		if len(states) > 0 && states[len(states)-1] == observe.Closed {
			return recording.Events
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connection was not closed: %v", recording.Events)
		}
	}
}

func statesOf(all []events.Event, source events.Source) (states []observe.State) {
	for _, e := range all {
		if e.Source != source || e.Kind != events.StateChange {
			continue
		}
		if len(states) == 0 {
			states = append(states, e.Old)
		}
		states = append(states, e.New)
	}
	return states
}
