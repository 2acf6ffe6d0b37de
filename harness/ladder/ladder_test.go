package ladder

import (
	"net/netip"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

func TestText(t *testing.T) {
	client := netip.MustParseAddrPort("192.0.2.1:40000")
	server := netip.MustParseAddrPort("192.0.2.2:80")
	x := &teardown.Exchange{GaveUp: true}
	x.Client.Call, x.Client.CalledAt, x.Client.State = "shutdown(SHUT_WR)", time.Second, "FIN_WAIT2"
	x.Server.Call, x.Server.CalledAt, x.Server.State = "close()", time.Second+time.Millisecond, "FIN_WAIT1"
	see := func(end *teardown.End, after time.Duration, sent bool, s segment.Segment) {
		end.Sightings = append(end.Sightings, segment.Sighting{At: time.Second + after, Sent: sent, Segment: s})
	}
	syn := segment.Segment{Src: client, Dst: server, Seq: 99, Flags: segment.SYN}
	synACK := segment.Segment{Src: server, Dst: client, Seq: 199, Ack: 100, Flags: segment.SYN | segment.ACK}
	fin := segment.Segment{Src: client, Dst: server, Seq: 100, Ack: 200, Flags: segment.FIN | segment.ACK}
	ack := segment.Segment{Src: server, Dst: client, Seq: 200, Ack: 101, Flags: segment.ACK}
	lost := segment.Segment{Src: server, Dst: client, Seq: 200, Ack: 101, Flags: segment.FIN | segment.ACK}
	see(&x.Client, -1, true, syn)
	see(&x.Client, -1, false, synACK)
	see(&x.Client, 100*time.Microsecond, true, fin)
	see(&x.Server, 200*time.Microsecond, false, fin)
	see(&x.Server, 250*time.Microsecond, true, ack)
	see(&x.Client, 300*time.Microsecond, false, ack)
	see(&x.Server, 1200*time.Microsecond, true, lost)

	want := `        ms  client                                server
     0.000  shutdown(SHUT_WR)
     0.200  ------------- F. 1:1(0) ack 1 ------------->
     0.300  <------------- . 1:1(0) ack 2 --------------
     1.000                                       close()
     1.200  x------------- F. 1:1(0) ack 2 -------------
stuck; the client did not close (FIN_WAIT2); the server did not close (FIN_WAIT1)
`
	if got := Text(teardown.Judge(x)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What was sent again has its cause on a line of its own: one line would be too
// long.
func TestACauseHasItsOwnLine(t *testing.T) {
	got := Text(teardown.Trial{Outcome: teardown.Retransmitted, Retransmissions: []teardown.Retransmission{{
		Segment: "F. 1:1(0) ack 1", Delay: 206 * time.Millisecond, Timer: teardown.TLP,
		Cause: teardown.Cause{By: "server", State: "FIN_WAIT2", Evidence: []string{"TCPChallengeACK 1"}},
	}}})
	want := `retransmitted; the client did not close; the server did not close
  F. 1:1(0) ack 1 of the client, sent again after 206ms by the tlp
    dropped by the server in FIN_WAIT2: TCPChallengeACK 1
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhoWasGivenUp(t *testing.T) {
	got := Text(teardown.Trial{
		Outcome: teardown.TimedOut,
		GivenUp: map[segment.Side]time.Duration{segment.Server: 104240 * time.Millisecond},
		States:  map[segment.Side]string{segment.Client: "CLOSE_WAIT", segment.Server: "CLOSE"},
	})
	if want := "timed-out; the client did not close (CLOSE_WAIT); the server was given up after 1m44.24s (CLOSE)\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
