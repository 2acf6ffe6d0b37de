package scenario

import (
	"testing"
	"time"

	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// By which call a program has ended a connection is told from its socket, as it was when
// the FIN had been made and a little later, from what was sent, and from what was counted.
func TestTheCallIsToldFromTheSocket(t *testing.T) {
	const made, later = 10 * time.Millisecond, 20 * time.Millisecond
	sent := func(at time.Duration, flags segment.Flags) segment.Sighting {
		return segment.Sighting{At: at, Sent: true, Segment: segment.Segment{Flags: flags}}
	}
	came := func(at time.Duration, flags segment.Flags, length int) segment.Sighting {
		return segment.Sighting{At: at, Segment: segment.Segment{Flags: flags, Length: length}}
	}
	socket := func(state observe.State, held, shutReading bool) observe.Socket {
		return observe.Socket{Status: observe.Status{State: state, Held: held}, ShutReading: shutReading}
	}
	held, orphan, gone := socket("FIN_WAIT1", true, false), socket("FIN_WAIT1", false, true), socket(observe.Closed, false, false)
	closing := socket("FIN_WAIT1", true, true)
	counted := func(name string) map[string]int64 { return map[string]int64{name: 1} }
	for name, c := range map[string]struct {
		parting *parting
		end     teardown.End // what was sent begins with the FIN or RST
		want    string
	}{
		"held":                        {&parting{held, held}, teardown.End{}, "shutdown(SHUT_WR)"},
		"held, and read no more":      {&parting{closing, closing}, teardown.End{}, "shutdown(SHUT_RDWR)"},
		"an orphan":                   {&parting{orphan, orphan}, teardown.End{}, "close()"},
		"held at first":               {&parting{held, orphan}, teardown.End{}, ShutdownClose},
		"a close() under way":         {&parting{closing, orphan}, teardown.End{}, "close()"},
		"gone, having sent a RST":     {&parting{held, gone}, teardown.End{Counters: counted("TCPAbortOnData")}, ShutdownReset},
		"nothing is known":            {nil, teardown.End{}, UnknownCall},
		"a RST for what was not read": {nil, teardown.End{Counters: counted("TCPAbortOnClose"), Sightings: []segment.Sighting{sent(made, segment.RST)}}, CloseUnread},
		"a RST by SO_LINGER":          {nil, teardown.End{Counters: counted("TCPAbortOnData"), Sightings: []segment.Sighting{sent(made, segment.RST)}}, "close() with SO_LINGER 0 s"},
		"a RST of no known reason":    {nil, teardown.End{Sightings: []segment.Sighting{sent(made, segment.RST)}}, UnknownCall},
		"an orphan that was sent data": {&parting{orphan, gone}, teardown.End{
			Counters:  counted("TCPAbortOnData"),
			Sightings: []segment.Sighting{sent(made, segment.FIN), came(later, segment.ACK, 100)},
		}, "close()"},
		"held, the peer having closed": {&parting{closing, closing}, teardown.End{
			Sightings: []segment.Sighting{came(made/2, segment.FIN, 0), sent(made, segment.FIN)},
		}, "shutdown(SHUT_WR)"},
		"sampled only": {nil, teardown.End{Notices: []teardown.Notice{
			{Source: teardown.SockDiag, Kind: teardown.StateNotice, To: "FIN_WAIT1", Orphan: true},
		}}, "close()"},
	} {
		v := &visitor{}
		v.ended[segment.Server] = c.parting
		begun := sent(made, segment.FIN)
		for _, s := range c.end.Sightings {
			if s.Sent {
				begun = s
			}
		}
		if got := v.callOf(&actor{side: segment.Server, end: &c.end}, begun); got != c.want {
			t.Errorf("%s: it is taken for %s, want %s", name, got, c.want)
		}
	}
}

// A RST by which the kernel gives a connection up is no call of the program's.
func TestGivingUpIsNoCall(t *testing.T) {
	for counter, want := range map[string]string{"TCPAbortOnTimeout": "", "TCPAbortOnClose": CloseUnread} {
		end := teardown.End{
			Counters:  map[string]int64{counter: 1},
			Sightings: []segment.Sighting{{Sent: true, Segment: segment.Segment{Flags: segment.RST}}},
		}
		v := &visitor{run: &run{
			client: &actor{side: segment.Client, end: &teardown.End{}},
			server: &actor{side: segment.Server, end: &end},
		}}
		if v.tellCalls(); end.Call != want {
			t.Errorf("with %s counted, the RST is taken for %q, want %q", counter, end.Call, want)
		}
	}
}

// A client has caught up when it has what the server sent right before its FIN.
func TestCaughtUp(t *testing.T) {
	data := segment.Segment{Flags: segment.ACK, Seq: 4_294_967_000, Length: 400} // numbers go round
	fin := segment.Segment{Flags: segment.FIN | segment.ACK, Seq: data.End()}
	sent := []segment.Sighting{{Sent: true, Segment: data}, {Sent: true, Segment: fin}}
	early := segment.Segment{Flags: segment.ACK, Seq: data.Seq, Length: 100}
	for name, c := range map[string]struct {
		client, server []segment.Sighting
		want           bool
	}{
		"no FIN yet":           {[]segment.Sighting{{Segment: data}}, sent[:1], false},
		"nothing has come":     {nil, sent, false},
		"a part has come":      {[]segment.Sighting{{Segment: early}}, sent, false},
		"all has come":         {[]segment.Sighting{{Segment: early}, {Segment: data}}, sent, true},
		"what the client sent": {[]segment.Sighting{{Sent: true, Segment: data}}, sent, false},
	} {
		if got := caughtUp([2][]segment.Sighting{segment.Client: c.client, segment.Server: c.server}); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
