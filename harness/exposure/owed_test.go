package exposure

import (
	"testing"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// A RST is the program's doing only where it let data down: a kernel that answers a late
// FIN with one is wrong, whatever the program has called.
func TestWhatARSTIsOwedTo(t *testing.T) {
	sent := func(s segment.Segment) segment.Sighting { return segment.Sighting{Sent: true, Segment: s} }
	came := func(s segment.Segment) segment.Sighting { return segment.Sighting{Segment: s} }
	const seq, ack = 1000, 4_294_967_290 // numbers go round
	fin := sent(segment.Segment{Flags: segment.FIN | segment.ACK, Seq: seq, Ack: ack})
	rst := sent(segment.Segment{Flags: segment.RST, Seq: seq + 1})
	request := came(segment.Segment{Flags: segment.ACK, Seq: ack - 10, Length: 10})
	lateFIN := came(segment.Segment{Flags: segment.FIN | segment.ACK, Seq: ack, Ack: seq})
	data := came(segment.Segment{Flags: segment.ACK, Seq: ack, Length: 10})
	orphan := []teardown.Notice{{Source: teardown.SockDiag, Kind: teardown.StateNotice, To: "FIN_WAIT2", Orphan: true}}
	for name, c := range map[string]struct {
		end  teardown.End
		want teardown.Outcome
	}{
		"close(), and a FIN":          {teardown.End{Call: sock.Close.Name, Sightings: []segment.Sighting{request, fin, lateFIN, rst}}, teardown.Clean},
		"close(), and data":           {teardown.End{Call: sock.Close.Name, Sightings: []segment.Sighting{request, fin, data, rst}}, teardown.Reset},
		"close(), and no RST":         {teardown.End{Call: sock.Close.Name, Sightings: []segment.Sighting{request, fin, data}}, teardown.Clean},
		"shutdown(), and data":        {teardown.End{Call: sock.ShutdownWrite.Name, Sightings: []segment.Sighting{request, fin, data, rst}}, teardown.Clean},
		"shutdown(SHUT_RDWR), a FIN":  {teardown.End{Call: sock.ShutdownBoth.Name, Sightings: []segment.Sighting{request, fin, lateFIN, rst}}, teardown.Clean},
		"shutdown(SHUT_RDWR), data":   {teardown.End{Call: sock.ShutdownBoth.Name, Sightings: []segment.Sighting{request, fin, data, rst}}, teardown.Reset},
		"shutdown(), then let go of":  {teardown.End{Call: sock.ShutdownWrite.Name, Notices: orphan, Sightings: []segment.Sighting{request, fin, data, rst}}, teardown.Reset},
		"let go of, and a FIN":        {teardown.End{Call: sock.ShutdownWrite.Name, Notices: orphan, Sightings: []segment.Sighting{request, fin, lateFIN, rst}}, teardown.Clean},
		"close() with something left": {teardown.End{Call: scenario.CloseUnread, Sightings: []segment.Sighting{request, rst}}, teardown.Reset},
	} {
		if got := Owed(scenario.FINOvertaken, teardown.Trial{Exchange: &teardown.Exchange{Server: c.end}}); got != c.want {
			t.Errorf("%s: %s is owed, want %s", name, got, c.want)
		}
	}
}

// A client that is gone is given up by retransmissions, or by keepalives, which end in a
// RST that no call has sent.
func TestWhatIsOwedToAClientThatIsGone(t *testing.T) {
	rst := []segment.Sighting{{Sent: true, Segment: segment.Segment{Flags: segment.RST}}}
	gaveUp := map[string]int64{"TCPAbortOnTimeout": 1}
	for name, c := range map[string]struct {
		end  teardown.End
		want teardown.Outcome
	}{
		"given up":                    {teardown.End{Call: sock.Close.Name, Counters: gaveUp}, teardown.TimedOut},
		"given up by keepalives":      {teardown.End{Counters: gaveUp, Sightings: rst}, teardown.Reset},
		"a RST for no known reason":   {teardown.End{Sightings: rst}, teardown.TimedOut},
		"a RST though it has closed":  {teardown.End{Call: sock.Close.Name, Counters: gaveUp, Sightings: rst}, teardown.TimedOut},
		"the program never closes it": {teardown.End{State: "ESTABLISHED"}, teardown.Stuck},
	} {
		if got := Owed(scenario.ClientGone, teardown.Trial{Exchange: &teardown.Exchange{Server: c.end}}); got != c.want {
			t.Errorf("%s: %s is owed, want %s", name, got, c.want)
		}
	}
}
