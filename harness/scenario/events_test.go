package scenario_test

import (
	"net/netip"
	"slices"
	"strings"
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

// A socket that does not want to stay in FIN_WAIT2 is gone when its late FIN
// arrives. Kernels whose resets have a reason report that one too, though no
// socket sends it.
func TestEventsOfAnAbandonedFinWait2(t *testing.T) {
	recorder, sources := openEvents(t)
	if !slices.Contains(sources, events.TCPSendReset) {
		t.Skip(recorder.Missing()[events.TCPSendReset])
	}
	o := overtakeFIN(t, recorder, func(server *sock.Conn) error {
		if err := server.SetLinger2(-1); err != nil {
			return err
		}
		_, err := server.Close()
		return err
	})
	var resets []events.Event
	for deadline := time.Now().Add(10 * time.Second); len(resets) == 0 || resets[0].Reason != "" && len(resets) < 2; time.Sleep(time.Millisecond) {
		resets = slices.DeleteFunc(recording(t, o.watches[segment.Server]), func(e events.Event) bool { return e.Kind != events.Reset })
		if time.Now().After(deadline) {
			t.Fatalf("the resets reported are %v", resets)
		}
	}
	for _, e := range resets {
		t.Log(e)
	}
	if resets[0].SndNxt == 0 {
		t.Errorf("the first is %v, want one that the socket sent", resets[0])
	}
	if len(resets) == 1 {
		return
	}
	if s := resets[1].Segment; resets[1].Reason != "NO_SOCKET" || s == nil || !s.Flags.Has(segment.FIN) || s.Src != o.ends[segment.Client].Local {
		t.Errorf("the second is %v, want one that answers the client's FIN for want of a socket", resets[1])
	}
}

func testEventsOfAnOvertakenFIN(t *testing.T, closing sock.Closing) {
	recorder, sources := openEvents(t)
	if !slices.Contains(sources, events.InetSockSetState) || !slices.Contains(sources, events.TCPRetransmitSKB) {
		t.Skip("this kernel does not report what is looked for")
	}
	o := overtakeFIN(t, recorder, func(server *sock.Conn) error {
		_, err := server.End(closing)
		return err
	})
	want := [2][]observe.State{
		segment.Client: {"ESTABLISHED", "FIN_WAIT1", "CLOSING", "CLOSE"},
		segment.Server: {"ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE"},
	}
	var recorded [2][]events.Event
	for side, w := range o.watches {
		recorded[side] = awaitClose(t, w)
		if got := statesOf(recorded[side], events.SockOps); slices.Contains(sources, events.SockOps) && !slices.Equal(got, want[side]) {
			t.Errorf("side %d went through %v, want %v", side, got, want[side])
		}
	}
	if err := o.wire.Finished(); err != nil {
		t.Fatal(err)
	}
	info, err := o.ends[segment.Client].Info()
	if err != nil {
		t.Fatal(err)
	}
	var again []events.Event
	for _, e := range recorded[segment.Client] {
		if e.Source == events.TCPRetransmitSKB {
			again = append(again, e)
		}
	}
	if len(again) > int(info.TCP.Total_retrans) {
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

// What arrives twice is dropped by TCP itself, when the segment has little left to
// tell its namespace by.
func TestEventsOfADuplicate(t *testing.T) {
	recorder, sources := openEvents(t)
	if !slices.Contains(sources, events.KfreeSKB) {
		t.Skip(recorder.Missing()[events.KfreeSKB])
	}
	o := wireUp(t, recorder, "duplicate client data")
	const text = "twice"
	if err := o.ends[segment.Client].Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		for _, e := range recording(t, o.watches[segment.Server]) {
			if s := e.Segment; e.Kind == events.Drop && strings.HasPrefix(e.Reason, "TCP_OLD_") && s.Length == len(text) {
				t.Log(e)
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server's host reports %v", recording(t, o.watches[segment.Server]))
		}
	}
}

// openEvents tells what the kernel does not report.
func openEvents(t *testing.T) (recorder *events.Recorder, sources []events.Source) {
	t.Helper()
	recorder, err := events.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	for _, s := range events.Sources {
		if missing := recorder.Missing()[s]; missing != nil {
			t.Logf("%s: %v", s, missing)
			continue
		}
		sources = append(sources, s)
	}
	return recorder, sources
}

// A connection is watched at both ends, and a wire is in between.
type connection struct {
	ends    [2]*sock.Conn
	watches [2]*events.Watch
	wire    *wire.Wire
}

func wireUp(t *testing.T, recorder *events.Recorder, rule string) (o connection) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	o.wire, o.ends = w.Wire, connect(t, w.Pair)
	for side, host := range []*lab.Host{w.Client.Host, w.Server.Host} {
		c := o.ends[side]
		cookie, err := c.Cookie()
		if err != nil {
			t.Fatal(err)
		}
		if o.watches[side], err = recorder.Watch(host, c.Local, c.Remote, cookie); err != nil {
			t.Fatal(err)
		}
	}
	armed, err := wire.ParseRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	w.Wire.Arm(armed)
	return o
}

// overtakeFIN has the client shut down, then the server end, while a wire lets
// the client's ACK overtake its FIN.
func overtakeFIN(t *testing.T, recorder *events.Recorder, end func(server *sock.Conn) error) connection {
	t.Helper()
	o := wireUp(t, recorder, "hold client fin until client ack-of-fin")
	if _, err := o.ends[segment.Client].Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := end(o.ends[segment.Server]); err != nil {
		t.Fatal(err)
	}
	return o
}

// connect opens a connection on which a few octets have gone both ways.
func connect(t *testing.T, pair topologies.Pair) (ends [2]*sock.Conn) {
	t.Helper()
	to := netip.AddrPortFrom(pair.Server.Addresses[0].Addr(), 0)
	listener, err := sock.Listen(t.Context(), pair.Server.Host, to)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it would answer what finds no connection
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
		all := recording(t, w)
		// A tracepoint may miss it, and nothing counts that.
		for _, source := range []events.Source{events.SockOps, events.InetSockSetState} {
			if states := statesOf(all, source); len(states) > 0 && states[len(states)-1] == observe.Closed {
				return all
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connection was not closed: %v", all)
		}
	}
}

func recording(t *testing.T, w *events.Watch) []events.Event {
	t.Helper()
	recording, err := w.Recording()
	if err != nil {
		t.Fatal(err)
	}
	if recording.Lost > 0 {
		t.Fatalf("%d events were lost", recording.Lost)
	}
	return recording.Events
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
