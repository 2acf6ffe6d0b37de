package teardown

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

var (
	clientAddr = netip.MustParseAddrPort("192.0.2.1:40000")
	serverAddr = netip.MustParseAddrPort("192.0.2.2:80")
)

// lost is the arrival of a segment that does not arrive.
const lost = -1

// sent is one segment on its way: its numbers count from the connection's
// beginning, its times are milliseconds. ts, if not 0, is its timestamp.
type sent struct {
	from          segment.Side
	left, arrived int
	flags         segment.Flags
	seq, length   int
	ack           int
	ts            int
}

const (
	syn = segment.SYN
	ack = segment.ACK
	fin = segment.FIN | segment.ACK
	rst = segment.RST | segment.ACK
)

// The client and the server begin at these numbers: one of them wraps.
var isn = map[segment.Side]uint32{segment.Client: 0x900003e8, segment.Server: 0xfffffd00}

// handshake and request: the client sends 4415 octets, the server 752.
var opening = []sent{
	{segment.Client, 0, 0, syn, 0, 0, 0, 0},
	{segment.Server, 0, 0, syn | ack, 0, 0, 1, 0},
	{segment.Client, 0, 0, ack, 1, 0, 1, 0},
	{segment.Client, 0, 0, ack, 1, 4415, 1, 0},
	{segment.Server, 0, 0, ack, 1, 752, 4416, 0},
	{segment.Client, 0, 0, ack, 4416, 0, 753, 0},
}

// build makes an exchange in which both ends called at 100 ms.
func build(closing ...sent) *Exchange {
	end := func() End {
		eof := 400 * time.Millisecond
		return End{Call: "shutdown(SHUT_WR)", CalledAt: 100 * time.Millisecond, Reads: true, EOF: &eof, State: "TIME_WAIT", Socket: &Socket{}}
	}
	x := &Exchange{Client: end(), Server: end()}
	for _, s := range append(slices.Clone(opening), closing...) {
		seg := segment.Segment{
			Src: clientAddr, Dst: serverAddr,
			Seq: isn[s.from] + uint32(s.seq), Ack: isn[s.from.Peer()] + uint32(s.ack),
			Flags: s.flags, Length: s.length,
			Options: segment.Options{TSVal: uint32(s.ts), HasTimestamps: s.ts != 0},
		}
		if s.from == segment.Server {
			seg.Src, seg.Dst = serverAddr, clientAddr
		}
		if !s.flags.Has(segment.ACK) {
			seg.Ack = 0
		}
		x.see(s.from, s.left, true, seg)
		if s.arrived != lost {
			x.see(s.from.Peer(), s.arrived, false, seg)
		}
	}
	for _, s := range segment.Sides {
		slices.SortStableFunc(x.End(s).Sightings, func(a, b segment.Sighting) int { return int(a.At - b.At) })
	}
	return x
}

func (x *Exchange) see(at segment.Side, ms int, out bool, s segment.Segment) {
	x.End(at).Sightings = append(x.End(at).Sightings, segment.Sighting{
		At: time.Duration(ms) * time.Millisecond, Sent: out, Segment: s,
	})
}

var lateFIN = Overtaking{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}

// overtakenFIN is the case finwait was made for, up to the late FIN: its
// sender's tap sees it only after netem has let it go.
var overtakenFIN = []sent{
	{segment.Server, 101, 101, fin, 753, 0, 4416, 0},
	{segment.Client, 102, 102, ack, 4417, 0, 754, 0},
	{segment.Client, 160, 160, fin, 4416, 0, 753, 0},
}

// accepted is what a kernel with "net: tcp: accept old ack during closing" does.
func accepted() *Exchange {
	x := build(append(slices.Clone(overtakenFIN), sent{segment.Server, 161, 161, ack, 754, 0, 4417, 0})...)
	x.Asked = []Overtaking{lateFIN}
	return x
}

// refused is what a kernel without it does.
func refused() *Exchange {
	x := build(append(slices.Clone(overtakenFIN),
		sent{segment.Server, 161, 161, ack, 754, 0, 4416, 0},
		sent{segment.Client, 364, 364, fin, 4416, 0, 754, 0},
		sent{segment.Server, 365, 365, ack, 754, 0, 4417, 0},
	)...)
	x.Asked = []Overtaking{lateFIN}
	x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
	x.Client.Socket.Retransmissions = 1
	x.Server.Counters = map[string]int64{"TCPChallengeACK": 1}
	x.Server.Socket.Drops = 1
	return x
}

func TestAcceptedLateFINIsClean(t *testing.T) {
	trial := Judge(accepted())
	expectOutcome(t, trial, Clean)
	if got := trial.Latency[segment.Server]; got != 61*time.Millisecond {
		t.Errorf("the server took %v, want 61ms", got)
	}
	if len(trial.Overtook) != 1 || trial.Overtook[0].Overtaking != lateFIN || trial.Overtook[0].At != segment.Server {
		t.Fatalf("overtakings %+v", trial.Overtook)
	}
	if got := trial.Overtook[0]; got.FastSegment != ". 4417:4417(0) ack 754" || got.SlowSegment != "F. 4416:4416(0) ack 753" {
		t.Errorf("it saw %s before %s", got.FastSegment, got.SlowSegment)
	}
}

func TestRefusedLateFINIsRetransmittedByTheProbe(t *testing.T) {
	trial := Judge(refused())
	expectOutcome(t, trial, Retransmitted)
	want := Retransmission{
		From: segment.Client, Segment: "F. 4416:4416(0) ack 754", FIN: true, Timer: TLP, Delay: 204 * time.Millisecond,
		Cause: Cause{By: "server", Evidence: []string{"the server answered . 754:754(0) ack 4416", "TCPChallengeACK 1", "SK_MEMINFO_DROPS 1"}},
	}
	if len(trial.Retransmissions) != 1 || !reflect.DeepEqual(trial.Retransmissions[0], want) {
		t.Errorf("retransmissions %+v, want %+v", trial.Retransmissions, want)
	}
	if trial.ChallengeACKs[segment.Server] != 1 || trial.ChallengeACKs[segment.Client] != 0 {
		t.Errorf("challenge ACKs %v", trial.ChallengeACKs)
	}
	if got := trial.Latency[segment.Server]; got != 265*time.Millisecond {
		t.Errorf("the server took %v, want 265ms", got)
	}
}

func TestTimersAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		counters map[string]int64
		repeats  int
		want     []Timer
	}{
		"SACK off":            {map[string]int64{"RetransSegs": 1, "TCPTimeouts": 1}, 1, []Timer{RTO}},
		"probe, then timeout": {map[string]int64{"RetransSegs": 2, "TCPLossProbes": 1, "TCPTimeouts": 1}, 2, []Timer{TLP, RTO}},
	} {
		t.Run(name, func(t *testing.T) {
			closing := slices.Clone(overtakenFIN)
			closing = append(closing, sent{segment.Server, 161, 161, ack, 754, 0, 4416, 0})
			for i := range c.repeats {
				arrives := lost
				if i == c.repeats-1 {
					arrives = 300 + 100*i
				}
				closing = append(closing, sent{segment.Client, 300 + 100*i, arrives, fin, 4416, 0, 754, 0})
			}
			closing = append(closing, sent{segment.Server, 600, 600, ack, 754, 0, 4417, 0})
			x := build(closing...)
			x.Asked = []Overtaking{lateFIN}
			x.Client.Counters = c.counters
			x.Client.Socket = nil
			x.Server.Counters = map[string]int64{"TCPChallengeACK": 1}
			x.Server.Socket = nil
			trial := Judge(x)
			expectOutcome(t, trial, Retransmitted)
			var got []Timer
			for _, r := range trial.Retransmissions {
				got = append(got, r.Timer)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("timers %v, want %v", got, c.want)
			}
		})
	}
}

func TestCrossingFINsInOrderAreClean(t *testing.T) {
	trial := Judge(build(
		sent{segment.Server, 101, 103, fin, 753, 0, 4416, 0},
		sent{segment.Client, 102, 104, fin, 4416, 0, 753, 0},
		sent{segment.Client, 103, 105, ack, 4417, 0, 754, 0},
		sent{segment.Server, 104, 106, ack, 754, 0, 4417, 0},
	))
	expectOutcome(t, trial, Clean)
	if len(trial.Overtook) != 0 {
		t.Errorf("overtakings %+v in an exchange that has none", trial.Overtook)
	}
}

// A RST takes its numbers from what it answers, so that it seems to come from
// the past; it overtakes nothing for that.
func TestResetIsNoOvertaking(t *testing.T) {
	for name, answer := range map[string][]sent{
		"with ACK":    {{from: segment.Server, left: 102, arrived: 102, flags: rst, seq: 753, ack: 4417}},
		"without ACK": {{from: segment.Server, left: 102, arrived: 102, flags: segment.RST, seq: 753}},
		"twice": {
			{from: segment.Server, left: 102, arrived: 102, flags: segment.RST, seq: 754},
			{from: segment.Server, left: 103, arrived: 103, flags: segment.RST, seq: 753},
		},
	} {
		closing := []sent{
			{from: segment.Server, left: 100, arrived: 100, flags: fin, seq: 753, ack: 4416},
			{from: segment.Client, left: 101, arrived: 101, flags: fin, seq: 4416, ack: 753},
		}
		x := build(append(closing, answer...)...)
		x.Client.State, x.Server.State = "CLOSE", "CLOSE"
		x.Server.Counters = map[string]int64{"OutRsts": int64(len(answer))}
		trial := Judge(x)
		if trial.Outcome != Reset || len(trial.Overtook) != 0 {
			t.Errorf("%s: %s, %q, overtakings %+v", name, trial.Outcome, trial.Why, trial.Overtook)
		}
	}
}

// A forged client has no kernel that could tell anything; it gives up where a
// real one would send its FIN again.
func TestForgedClient(t *testing.T) {
	forged := func(answer sent) *Exchange {
		x := build(append(slices.Clone(overtakenFIN), answer)...)
		x.Asked = []Overtaking{lateFIN}
		x.Client = End{Call: "ACK, then FIN", CalledAt: 101 * time.Millisecond, Sightings: x.Client.Sightings}
		return x
	}
	x := forged(sent{segment.Server, 161, 161, ack, 754, 0, 4417, 0})
	trial := Judge(x)
	expectOutcome(t, trial, Clean)
	if _, told := trial.States[segment.Client]; told {
		t.Errorf("a state of a client that has none: %v", trial.States)
	}

	x = forged(sent{segment.Server, 161, 161, ack, 754, 0, 4416, 0})
	x.Server.State, x.Server.EOF = "FIN_WAIT2", nil
	x.Server.Counters = map[string]int64{"TCPChallengeACK": 1}
	x.Server.Socket.Drops = 1
	x.GaveUp = true
	trial = Judge(x)
	expectOutcome(t, trial, Stuck)
	if trial.ChallengeACKs[segment.Server] != 1 || trial.Drops[segment.Server] != 1 {
		t.Errorf("challenge ACKs %v, drops %v", trial.ChallengeACKs, trial.Drops)
	}
}

// stuck is a teardown that its server never finishes.
func stuck() *Exchange {
	x := build(
		sent{from: segment.Client, left: 101, arrived: 101, flags: fin, seq: 4416, ack: 753},
		sent{from: segment.Server, left: 102, arrived: 102, flags: ack, seq: 753, ack: 4417},
	)
	x.Client.State, x.Server.State = "FIN_WAIT2", "CLOSE_WAIT"
	x.GaveUp = true
	return x
}

func TestStuck(t *testing.T) {
	expectOutcome(t, Judge(stuck()), Stuck)
	// A kernel that gives up counts a last timeout, by which it sends nothing.
	x := stuck()
	x.Client.State = "CLOSE"
	x.Client.Counters = map[string]int64{"TCPTimeouts": 1, "TCPAbortOnTimeout": 1}
	expectOutcome(t, Judge(x), Stuck)
}

// What was sent again before the closing calls is none of the teardown's
// business: the counters are read after it, too.
func TestOnlyTheTeardownCounts(t *testing.T) {
	x := accepted()
	for _, s := range segment.Sides {
		end := x.End(s)
		again := end.Sightings[3] // the request
		end.Sightings = slices.Insert(end.Sightings, 5, again)
	}
	expectOutcome(t, Judge(x), Clean)
}

// Data can be refused as a FIN can (a server that has shut down, and a client
// whose ACK overtakes its data).
func TestRefusedDataIsRetransmitted(t *testing.T) {
	x := build(
		sent{from: segment.Server, left: 101, arrived: 101, flags: fin, seq: 753, ack: 4416},
		sent{from: segment.Client, left: 102, arrived: 102, flags: ack, seq: 4516, ack: 754},
		sent{from: segment.Client, left: 160, arrived: 160, flags: ack, seq: 4416, length: 100, ack: 753},
		sent{from: segment.Server, left: 161, arrived: 161, flags: ack, seq: 754, ack: 4416},
		sent{from: segment.Client, left: 364, arrived: 364, flags: ack, seq: 4416, length: 100, ack: 754},
		sent{from: segment.Server, left: 365, arrived: 365, flags: ack, seq: 754, ack: 4516},
		sent{from: segment.Client, left: 366, arrived: 366, flags: fin, seq: 4516, ack: 754},
		sent{from: segment.Server, left: 367, arrived: 367, flags: ack, seq: 754, ack: 4517},
	)
	x.Asked = []Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindData}}
	x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
	x.Client.Socket.Retransmissions = 1
	x.Server.Counters = map[string]int64{"TCPChallengeACK": 1}
	x.Server.Socket.Drops = 1
	trial := Judge(x)
	expectOutcome(t, trial, Retransmitted)
	if len(trial.Retransmissions) != 1 || trial.Retransmissions[0].FIN {
		t.Errorf("retransmissions %+v", trial.Retransmissions)
	}
}

// Without timestamps a FIN that is sent again can look like the first one.
func TestARepetitionThatLooksLikeItsOriginal(t *testing.T) {
	x := refused()
	for _, s := range segment.Sides {
		for i, seen := range x.End(s).Sightings {
			if seen.Flags.Has(segment.FIN) && seen.Src == clientAddr {
				x.End(s).Sightings[i].Ack = isn[segment.Server] + 753
			}
		}
	}
	expectOutcome(t, Judge(x), Retransmitted)
}

// A path that is slower than the timer makes a segment be sent again that was
// not refused and not lost; that tells nothing of the kernel. Where the
// acknowledgement was lost, it does.
func TestASlowPathIsNoRetransmission(t *testing.T) {
	for name, c := range map[string]struct {
		arrives int
		want    Outcome
	}{"slow": {400, Inconclusive}, "lost": {lost, Retransmitted}} {
		x := build(
			sent{from: segment.Server, left: 100, arrived: 100, flags: fin, seq: 753, ack: 4416},
			sent{from: segment.Client, left: 101, arrived: 101, flags: ack, seq: 4416, ack: 754},
			sent{from: segment.Client, left: 110, arrived: 111, flags: fin, seq: 4416, ack: 754},
			sent{from: segment.Server, left: 112, arrived: c.arrives, flags: ack, seq: 754, ack: 4417},
			sent{from: segment.Client, left: 314, arrived: 401, flags: fin, seq: 4416, ack: 754},
			sent{from: segment.Server, left: 402, arrived: 403, flags: ack, seq: 754, ack: 4417},
		)
		x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
		x.Client.Socket.Retransmissions = 1
		if trial := Judge(x); trial.Outcome != c.want {
			t.Errorf("%s: %s %q, want %s", name, trial.Outcome, trial.Why, c.want)
		}
	}
}

// A side is closed when it has been told so, and has told: either may come
// last.
func TestClosedAtTheLaterOfBoth(t *testing.T) {
	x := build(
		sent{from: segment.Client, left: 101, arrived: 102, flags: fin, seq: 4416, ack: 753},
		sent{from: segment.Server, left: 103, arrived: 104, flags: fin, seq: 753, ack: 4417},
		sent{from: segment.Client, left: 105, arrived: 106, flags: ack, seq: 4417, ack: 754},
	)
	x.Server.State = "CLOSE"
	trial := Judge(x)
	expectOutcome(t, trial, Clean)
	if c, s := trial.Latency[segment.Client], trial.Latency[segment.Server]; c != 5*time.Millisecond || s != 6*time.Millisecond {
		t.Errorf("the client took %v, the server %v; want 5ms and 6ms", c, s)
	}
}

// Every story in which one witness contradicts another has to be found out.
func TestContradictionsAreInconclusive(t *testing.T) {
	for _, c := range []struct {
		name string
		from func() *Exchange
		bend func(*Exchange)
		why  string
	}{
		{"a tap lost segments", accepted, func(x *Exchange) { x.Doubts = []string{"the tap on the server lost 3 frames"} }, "lost 3 frames"},
		{"the order was not seen", accepted, func(x *Exchange) {
			x.Asked = []Overtaking{{From: segment.Server, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
		}, "was not seen at the client's tap"},
		{"another order was seen", accepted, func(x *Exchange) { x.Asked = nil }, "nobody asked for"},
		{"a retransmission the tap did not see", accepted, func(x *Exchange) { x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1} }, "counted 1 (RetransSegs)"},
		{"a retransmission the kernel did not count", refused, func(x *Exchange) { x.Client.Counters = nil }, "counted 0 (RetransSegs)"},
		{"a timer that sent nothing", accepted, func(x *Exchange) { x.Client.Counters = map[string]int64{"TCPTimeouts": 1} }, "TCPTimeouts without those that gave up 1"},
		{"no timer behind a retransmission", refused, func(x *Exchange) { delete(x.Client.Counters, "TCPLossProbes") }, "sent 1 segments again, which does not go with"},
		{"a socket that did not retransmit", refused, func(x *Exchange) { x.Client.Socket.Retransmissions = 0 }, "tcpi_total_retrans"},
		{"a challenge ACK that was not sent", accepted, func(x *Exchange) { x.Server.Counters = map[string]int64{"TCPChallengeACK": 1} }, "tap saw 0"},
		{"a challenge ACK without a drop", refused, func(x *Exchange) { x.Server.Socket.Drops = 0 }, "SK_MEMINFO_DROPS"},
		{"a state that is not closed", accepted, func(x *Exchange) { x.Server.State = "FIN_WAIT2" }, "socket is in FIN_WAIT2"},
		{"the recording ended early", accepted, func(x *Exchange) { x.Server.Sightings = x.Server.Sightings[:len(x.Server.Sightings)-1] }, "ended before the teardown"},
		{"a RST that was not seen", accepted, func(x *Exchange) { x.Server.Counters = map[string]int64{"OutRsts": 1} }, "counted 1 (OutRsts)"},
		{"a program that was not told", accepted, func(x *Exchange) { x.Server.EOF = nil }, "never read EOF"},
		{"TIME_WAIT too early", func() *Exchange { x := stuck(); x.Client.State = "TIME_WAIT"; return x }, func(*Exchange) {}, "but by what the taps saw it is not closed"},
		{"no handshake", accepted, func(x *Exchange) { x.Client.Sightings = x.Client.Sightings[3:] }, "handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := c.from()
			c.bend(x)
			trial := Judge(x)
			expectOutcome(t, trial, Inconclusive)
			if !strings.Contains(strings.Join(trial.Why, "\n"), c.why) {
				t.Errorf("it says %q, want it to mention %q", trial.Why, c.why)
			}
		})
	}
}

func TestRetransmissionIsNoOvertaking(t *testing.T) {
	// The first FIN is lost; what arrives is its repetition, after a newer ACK.
	x := build(
		sent{segment.Client, 101, lost, fin, 4416, 0, 753, 0},
		sent{segment.Server, 102, 102, fin, 753, 0, 4416, 0},
		sent{segment.Client, 102, 102, ack, 4417, 0, 754, 0},
		sent{segment.Client, 301, 301, fin, 4416, 0, 754, 0},
		sent{segment.Server, 301, 301, ack, 754, 0, 4417, 0},
	)
	x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
	x.Client.Socket.Retransmissions = 1
	trial := Judge(x)
	expectOutcome(t, trial, Retransmitted)
	if len(trial.Overtook) != 0 {
		t.Errorf("overtakings %+v", trial.Overtook)
	}
}

func TestTimelineTellsTheStory(t *testing.T) {
	trial := Judge(refused())
	var got []string
	for _, e := range trial.Timeline() {
		got = append(got, strings.Join(append([]string{e.By.String(), e.Text}, e.Notes...), " | "))
	}
	want := []string{
		"client | shutdown(SHUT_WR)",
		"server | shutdown(SHUT_WR)",
		"server | F. 753:753(0) ack 4416",
		"client | . 4417:4417(0) ack 754 | overtakes the FIN",
		"client | F. 4416:4416(0) ack 753 | overtaken by the ACK of the FIN | dropped by the server",
		"server | . 754:754(0) ack 4416 | challenge ACK: the FIN was not accepted",
		"client | F. 4416:4416(0) ack 754 | sent again after 204ms by the tlp",
		"server | . 754:754(0) ack 4417",
		"client | read EOF",
		"server | read EOF",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTrialSurvivesARecord(t *testing.T) {
	x := refused()
	for _, s := range segment.Sides {
		x.End(s).Sightings = nil // frames are the segment package's to test
	}
	before := Judge(x)
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after Trial
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(after)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("written as\n%s\nand then as\n%s", text, again)
	}
	if err := json.Unmarshal([]byte(`{"drops":{"router":1}}`), &after); err == nil {
		t.Error("a side that there is not was read")
	}
}

func expectOutcome(t *testing.T, trial Trial, want Outcome) {
	t.Helper()
	if trial.Outcome != want {
		t.Errorf("outcome %s, want %s; why: %q", trial.Outcome, want, trial.Why)
	}
}
