package teardown

import (
	"encoding/json"
	"net/netip"
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
// beginning, its times are milliseconds.
type sent struct {
	from          Side
	left, arrived int
	flags         segment.Flags
	seq, length   int
	ack           int
}

const (
	syn = segment.SYN
	ack = segment.ACK
	fin = segment.FIN | segment.ACK
	rst = segment.RST | segment.ACK
)

// handshake and request: the client sends 4415 octets, the server 752.
var opening = []sent{
	{Client, 0, 0, syn, 0, 0, 0},
	{Server, 0, 0, syn | ack, 0, 0, 1},
	{Client, 0, 0, ack, 1, 0, 1},
	{Client, 0, 0, ack, 1, 4415, 1},
	{Server, 0, 0, ack, 1, 752, 4416},
	{Client, 0, 0, ack, 4416, 0, 753},
}

// build makes an exchange in which both ends called at 100 ms.
func build(closing ...sent) *Exchange {
	x := &Exchange{
		Client: End{Call: "shutdown(SHUT_WR)", CalledAt: 100 * time.Millisecond, State: "TIME_WAIT", Socket: &Socket{}},
		Server: End{Call: "shutdown(SHUT_WR)", CalledAt: 100 * time.Millisecond, State: "TIME_WAIT", Socket: &Socket{}},
	}
	for _, s := range append(slices.Clone(opening), closing...) {
		seg := segment.Segment{
			Src: clientAddr, Dst: serverAddr,
			Seq: uint32(1000 + s.seq), Ack: uint32(77000 + s.ack),
			Flags: s.flags, Length: s.length,
		}
		if s.from == Server {
			seg.Src, seg.Dst = serverAddr, clientAddr
			seg.Seq, seg.Ack = uint32(77000+s.seq), uint32(1000+s.ack)
		}
		x.see(s.from, s.left, true, seg)
		if s.arrived != lost {
			x.see(s.from.Peer(), s.arrived, false, seg)
		}
	}
	for _, s := range Sides {
		slices.SortStableFunc(x.End(s).Sightings, func(a, b segment.Sighting) int { return int(a.At - b.At) })
	}
	return x
}

func (x *Exchange) see(at Side, ms int, out bool, s segment.Segment) {
	x.End(at).Sightings = append(x.End(at).Sightings, segment.Sighting{
		At: time.Duration(ms) * time.Millisecond, Sent: out, Segment: s,
	})
}

var lateFIN = Overtaking{From: Client, Fast: ACKOfFIN, Slow: FIN}

// overtakenFIN is the case finwait was made for, up to the late FIN: its
// sender's tap sees it only after netem has let it go.
var overtakenFIN = []sent{
	{Server, 101, 101, fin, 753, 0, 4416},
	{Client, 102, 102, ack, 4417, 0, 754},
	{Client, 160, 160, fin, 4416, 0, 753},
}

// accepted is what a kernel with "net: tcp: accept old ack during closing" does.
func accepted() *Exchange {
	x := build(append(slices.Clone(overtakenFIN), sent{Server, 161, 161, ack, 754, 0, 4417})...)
	x.Asked = []Overtaking{lateFIN}
	return x
}

// refused is what a kernel without it does.
func refused() *Exchange {
	x := build(append(slices.Clone(overtakenFIN),
		sent{Server, 161, 161, ack, 754, 0, 4416},
		sent{Client, 364, 364, fin, 4416, 0, 754},
		sent{Server, 365, 365, ack, 754, 0, 4417},
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
	if got := trial.Latency[Server]; got != 61*time.Millisecond {
		t.Errorf("the server took %v, want 61ms", got)
	}
	if len(trial.Overtook) != 1 || trial.Overtook[0].Overtaking != lateFIN || trial.Overtook[0].At != Server {
		t.Fatalf("overtakings %+v", trial.Overtook)
	}
	if got := trial.Overtook[0]; got.FastSegment != ". 4417:4417(0) ack 754" || got.SlowSegment != "F. 4416:4416(0) ack 753" {
		t.Errorf("it saw %s before %s", got.FastSegment, got.SlowSegment)
	}
}

func TestRefusedLateFINIsRetransmittedByTheProbe(t *testing.T) {
	trial := Judge(refused())
	expectOutcome(t, trial, Retransmitted)
	want := Retransmission{From: Client, Segment: "F. 4416:4416(0) ack 754", FIN: true, Timer: TLP, Delay: 204 * time.Millisecond}
	if len(trial.Retransmissions) != 1 || trial.Retransmissions[0] != want {
		t.Errorf("retransmissions %+v, want %+v", trial.Retransmissions, want)
	}
	if trial.ChallengeACKs[Server] != 1 || trial.ChallengeACKs[Client] != 0 {
		t.Errorf("challenge ACKs %v", trial.ChallengeACKs)
	}
	if got := trial.Latency[Server]; got != 265*time.Millisecond {
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
			closing = append(closing, sent{Server, 161, 161, ack, 754, 0, 4416})
			for i := range c.repeats {
				arrives := lost
				if i == c.repeats-1 {
					arrives = 300 + 100*i
				}
				closing = append(closing, sent{Client, 300 + 100*i, arrives, fin, 4416, 0, 754})
			}
			closing = append(closing, sent{Server, 600, 600, ack, 754, 0, 4417})
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
		sent{Server, 101, 103, fin, 753, 0, 4416},
		sent{Client, 102, 104, fin, 4416, 0, 753},
		sent{Client, 103, 105, ack, 4417, 0, 754},
		sent{Server, 104, 106, ack, 754, 0, 4417},
	))
	expectOutcome(t, trial, Clean)
	if len(trial.Overtook) != 0 {
		t.Errorf("overtakings %+v in an exchange that has none", trial.Overtook)
	}
}

func TestResetAndStuck(t *testing.T) {
	x := build(sent{Client, 101, 101, fin, 4416, 0, 753}, sent{Server, 102, 102, rst, 753, 0, 4417})
	x.Client.State, x.Server.State = "CLOSE", "CLOSE"
	expectOutcome(t, Judge(x), Reset)

	x = build(sent{Client, 101, 101, fin, 4416, 0, 753}, sent{Server, 102, 102, ack, 753, 0, 4417})
	x.Client.State, x.Server.State = "FIN_WAIT2", "CLOSE_WAIT"
	x.GaveUp = true
	expectOutcome(t, Judge(x), Stuck)
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
		{"the order was not seen", accepted, func(x *Exchange) { x.Asked = []Overtaking{{From: Server, Fast: ACKOfFIN, Slow: FIN}} }, "was not seen at the client's tap"},
		{"another order was seen", accepted, func(x *Exchange) { x.Asked = nil }, "nobody asked for"},
		{"a retransmission the tap did not see", accepted, func(x *Exchange) { x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1} }, "counted 1 (RetransSegs)"},
		{"a retransmission the kernel did not count", refused, func(x *Exchange) { x.Client.Counters = nil }, "counted 0 (RetransSegs)"},
		{"a timer that sent nothing", accepted, func(x *Exchange) { x.Client.Counters = map[string]int64{"TCPTimeouts": 1} }, "timers fired 1 times"},
		{"no timer behind a retransmission", refused, func(x *Exchange) { delete(x.Client.Counters, "TCPLossProbes") }, "timers fired 0 times"},
		{"a socket that did not retransmit", refused, func(x *Exchange) { x.Client.Socket.Retransmissions = 0 }, "tcpi_total_retrans"},
		{"a challenge ACK that was not sent", accepted, func(x *Exchange) { x.Server.Counters = map[string]int64{"TCPChallengeACK": 1} }, "tap saw 0"},
		{"a challenge ACK without a drop", refused, func(x *Exchange) { x.Server.Socket.Drops = 0 }, "SK_MEMINFO_DROPS"},
		{"a state that is not closed", accepted, func(x *Exchange) { x.Server.State = "FIN_WAIT2" }, "socket is in FIN_WAIT2"},
		{"the recording ended early", accepted, func(x *Exchange) { x.Server.Sightings = x.Server.Sightings[:len(x.Server.Sightings)-1] }, "ended before the teardown"},
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
		sent{Client, 101, lost, fin, 4416, 0, 753},
		sent{Server, 102, 102, fin, 753, 0, 4416},
		sent{Client, 102, 102, ack, 4417, 0, 754},
		sent{Client, 301, 301, fin, 4416, 0, 754},
		sent{Server, 301, 301, ack, 754, 0, 4417},
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
		"client | F. 4416:4416(0) ack 753 | overtaken by the ACK of the FIN",
		"server | . 754:754(0) ack 4416 | challenge ACK: the FIN was not accepted",
		"client | F. 4416:4416(0) ack 754 | sent again after 204ms by the tlp",
		"server | . 754:754(0) ack 4417",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTrialSurvivesARecord(t *testing.T) {
	x := refused()
	for _, s := range Sides {
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
