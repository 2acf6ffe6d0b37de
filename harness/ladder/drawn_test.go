package ladder

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// An exchangeOf builds what the taps see of a teardown. Times are microseconds from
// the first call.
type exchangeOf struct {
	*teardown.Exchange
	t testing.TB
}

var (
	clientAddress = netip.MustParseAddrPort("192.0.2.1:40000")
	serverAddress = netip.MustParseAddrPort("192.0.2.2:80")
)

func handshake(t testing.TB) exchangeOf {
	x := exchangeOf{&teardown.Exchange{}, t}
	x.Client.Call, x.Client.CalledAt = "shutdown(SHUT_WR)", time.Second
	x.Server.Call, x.Server.CalledAt = "shutdown(SHUT_WR)", time.Second+40*time.Microsecond
	x.goes(segment.Client, segment.SYN, 99, 0, -200, -190)
	x.goes(segment.Server, segment.SYN|segment.ACK, 199, 100, -150, -140)
	return x
}

const never = -1 << 40

// goes has a side send a segment, and it arrives, unless left or at is never.
func (x exchangeOf) goes(from segment.Side, flags segment.Flags, seq, ack uint32, left, at time.Duration) {
	x.t.Helper()
	s := segment.Segment{Src: clientAddress, Dst: serverAddress, Seq: seq, Ack: ack, Flags: flags}
	if from == segment.Server {
		s.Src, s.Dst = s.Dst, s.Src
	}
	frame, err := s.Encode(make([]byte, 6), make([]byte, 6))
	if err != nil {
		x.t.Fatal(err)
	}
	see := func(end *teardown.End, after time.Duration, sent bool) {
		if after != never {
			end.Sightings = append(end.Sightings, segment.Sighting{
				At: time.Second + after*time.Microsecond, Sent: sent, Segment: s, Frame: frame, FrameLength: len(frame),
			})
		}
	}
	see(x.End(from), left, true)
	see(x.End(from.Peer()), at, false)
}

const finACK = segment.FIN | segment.ACK

// theCase is the overtaken FIN, dropped as by Linux 5.10, or accepted.
func theCase(t testing.TB, dropped bool) teardown.Trial {
	x := handshake(t)
	x.goes(segment.Server, finACK, 200, 100, 75, 78)
	x.goes(segment.Client, segment.ACK, 101, 201, 111, 114)
	x.goes(segment.Client, finACK, 100, 200, 60050, 60052)
	step := func(state string, at time.Duration) teardown.Step {
		return teardown.Step{State: state, At: time.Second + at*time.Microsecond, Sources: []teardown.Source{teardown.SockDiag}}
	}
	trial := teardown.Trial{
		Outcome: teardown.Clean,
		Latency: map[segment.Side]time.Duration{segment.Client: 60112 * time.Microsecond, segment.Server: 60050 * time.Microsecond},
		Paths: map[segment.Side][]teardown.Step{
			segment.Client: {step("FIN_WAIT1", 9), step("CLOSING", 118), step("TIME_WAIT", 60130)},
			segment.Server: {step("FIN_WAIT1", 50), step("FIN_WAIT2", 149), step("TIME_WAIT", 60098)},
		},
		Overtook: []teardown.Sequence{{
			Overtaking: teardown.Overtaking{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}, At: segment.Server,
			FastSegment: ". 2:2(0) ack 2", SlowSegment: "F. 1:1(0) ack 1",
		}},
		Exchange: x.Exchange,
	}
	if !dropped {
		x.goes(segment.Server, segment.ACK, 201, 101, 60108, 60112)
		return trial
	}
	x.goes(segment.Server, segment.ACK, 201, 100, 60094, 60097)
	x.goes(segment.Client, finACK, 100, 201, 267800, 267808)
	x.goes(segment.Server, segment.ACK, 201, 101, 267850, 267854)
	trial.Outcome = teardown.Retransmitted
	trial.Latency[segment.Client], trial.Latency[segment.Server] = 267854*time.Microsecond, 267809*time.Microsecond
	trial.ChallengeACKs = map[segment.Side]int{segment.Server: 1}
	trial.Paths[segment.Client][2], trial.Paths[segment.Server][2] = step("TIME_WAIT", 267894), step("TIME_WAIT", 267862)
	trial.Retransmissions = []teardown.Retransmission{{
		From: segment.Client, Segment: "F. 1:1(0) ack 2", FIN: true, Timer: teardown.TLP,
		Delay: 207750 * time.Microsecond, RTO: 204 * time.Millisecond,
		Cause: teardown.Cause{By: "server", State: "FIN_WAIT2", Evidence: []string{"the server answered . 2:2(0) ack 1"}},
	}}
	return trial
}

// crossing has both FINs, and both ACKs of them, under way at a time.
func crossing(t testing.TB) teardown.Trial {
	x := handshake(t)
	x.goes(segment.Client, finACK, 100, 200, 20, 436)
	x.goes(segment.Server, finACK, 200, 100, 60, 465)
	x.goes(segment.Client, segment.ACK, 101, 201, 480, 810)
	x.goes(segment.Server, segment.ACK, 201, 101, 450, 853)
	return teardown.Trial{Outcome: teardown.Clean, Exchange: x.Exchange}
}

// backOff is a FIN that is never acknowledged, up to 120 s between two of them.
func backOff(t testing.TB) teardown.Trial {
	x := handshake(t)
	trial := teardown.Trial{Outcome: teardown.TimedOut, Exchange: x.Exchange}
	at, wait := time.Duration(20), 204*time.Millisecond
	x.goes(segment.Server, finACK, 200, 100, at, never)
	for range 15 {
		at += wait / time.Microsecond
		x.goes(segment.Server, finACK, 200, 100, at, never)
		trial.Retransmissions = append(trial.Retransmissions, teardown.Retransmission{
			From: segment.Server, Segment: "F. 1:1(0) ack 1", FIN: true, Timer: teardown.RTO, Delay: wait,
			Cause: teardown.Cause{By: "network", Evidence: []string{"the client's tap did not see it"}},
		})
		wait = min(2*wait, 120*time.Second)
	}
	return trial
}

// duplicated has a FIN arrive twice, and then a RST.
func duplicated(t testing.TB) teardown.Trial {
	x := handshake(t)
	x.goes(segment.Client, finACK, 100, 200, 20, 10050)
	x.goes(segment.Client, finACK, 100, 200, never, 10140)
	x.goes(segment.Server, segment.ACK, 200, 101, 10060, 20070)
	x.goes(segment.Server, segment.ACK, 200, 101, 10150, 20160)
	x.goes(segment.Client, segment.RST, 101, 0, 20180, 30200)
	return teardown.Trial{Outcome: teardown.Reset, Exchange: x.Exchange}
}

// lost is a FIN that the network loses once.
func lost(t testing.TB) teardown.Trial {
	x := handshake(t)
	x.goes(segment.Client, finACK, 100, 200, 20, never)
	x.goes(segment.Client, finACK, 100, 200, 205020, 205025)
	return teardown.Trial{Outcome: teardown.Retransmitted, Exchange: x.Exchange, Retransmissions: []teardown.Retransmission{{
		From: segment.Client, Segment: "F. 1:1(0) ack 1", FIN: true, Timer: teardown.RTO, Delay: 205 * time.Millisecond,
		Cause: teardown.Cause{By: "network", Evidence: []string{"the server's tap did not see it"}},
	}}}
}

// unlikely is what only a record edited by hand holds.
func unlikely(t testing.TB) teardown.Trial {
	trial := theCase(t, true)
	evil := `<script>alert("&amp;")</script>` + "\x1b[31m\x00\xff\n]]>"
	trial.Outcome = teardown.Outcome(evil)
	trial.Exchange.Client.Call = evil
	trial.Exchange.Server.CalledAt = -1 << 63
	trial.Exchange.Client.EOF = new(time.Duration)
	*trial.Exchange.Client.EOF = 1<<63 - 1
	trial.Paths[segment.Client][1].State = evil
	trial.Paths[segment.Server][1].Sources = []teardown.Source{teardown.Source(evil)}
	trial.Retransmissions[0].Cause.State = evil
	trial.Why = []string{evil}
	return trial
}

func trials(t testing.TB) map[string]teardown.Trial {
	return map[string]teardown.Trial{
		"the case, dropped": theCase(t, true), "the case, accepted": theCase(t, false), "crossing FINs": crossing(t),
		"back-off": backOff(t), "a duplicate and a reset": duplicated(t), "lost": lost(t),
		"without an exchange": {Outcome: teardown.Clean}, "nothing": {}, "unlikely": unlikely(t),
	}
}

// recorded is a trial as a record keeps it.
func recorded(t testing.TB, trial teardown.Trial) []byte {
	data, err := json.Marshal(trial)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func timeline(trial teardown.Trial) []teardown.Event { return trial.Timeline() }
