package teardown

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// timer is what sock_diag says of one.
func timer(state string, at int, name string, expires int) Notice {
	return Notice{
		At: ms(at), Source: SockDiag, Kind: StateNotice, From: state, To: state, Timer: name, Expires: ms(expires),
	}
}

// unacknowledged is a server whose FIN never arrives, at 101 ms, sent again at 305 and
// 509 and given up at 917.
func unacknowledged() *Exchange {
	x := build(
		sent{from: segment.Server, left: 101, arrived: lost, flags: fin, seq: 753, ack: 4416},
		sent{from: segment.Server, left: 305, arrived: lost, flags: fin, seq: 753, ack: 4416},
		sent{from: segment.Server, left: 509, arrived: lost, flags: fin, seq: 753, ack: 4416},
	)
	x.Jiffy = ms(4)
	x.UntilGone = []segment.Side{segment.Server}
	x.Client.Call, x.Client.CalledAt, x.Client.Reads, x.Client.State = "", 0, false, "ESTABLISHED"
	x.Server.State, x.Server.EOF, x.Server.ReadError = "CLOSE", nil, "ETIMEDOUT"
	x.Server.Socket.Retransmissions = 2
	x.Server.Counters = map[string]int64{"RetransSegs": 2, "TCPLossProbes": 1, "TCPTimeouts": 2, "TCPAbortOnTimeout": 1}
	x.Server.Sources = []Source{SockDiag}
	x.Server.Notices = slices.Concat(
		sampled("ESTABLISHED", 90, 0),
		[]Notice{timer("FIN_WAIT1", 102, "retransmit", 204), timer("FIN_WAIT1", 306, "retransmit", 204), timer("FIN_WAIT1", 510, "retransmit", 408)},
		sampled("CLOSE", 917, 1),
	)
	return x
}

func TestAConnectionThatItsKernelGaveUpTimedOut(t *testing.T) {
	trial := Judge(unacknowledged())
	expectOutcome(t, trial, TimedOut)
	if got := trial.GivenUp[segment.Server]; len(trial.GivenUp) != 1 || got != ms(817) {
		t.Errorf("gave up %v, want the server, 817ms after its call", trial.GivenUp)
	}
	want := []Wait{
		{State: "FIN_WAIT1", Timer: "retransmit", At: ms(102), For: ms(204), Took: ms(203)},
		{State: "FIN_WAIT1", Timer: "retransmit", At: ms(305), For: ms(205), Took: ms(204)},
		{State: "FIN_WAIT1", Timer: "retransmit", At: ms(509), For: ms(409), Took: ms(408)},
	}
	if got := trial.Waits[segment.Server]; !slices.Equal(got, want) {
		t.Errorf("it waited\n%v, want\n%v", got, want)
	}
}

// The mini-socket of an orphan goes without a word, when its timer is over.
func TestAnOrphanOfFINWAIT2TimesOut(t *testing.T) {
	expectOutcome(t, Judge(forgotten()), TimedOut)
}

// forgotten is a server that closes at 101 ms and is acknowledged at 103. Its full
// socket waits for a second, and its mini-socket for another.
func forgotten() *Exchange {
	x := build(
		sent{from: segment.Server, left: 101, arrived: 102, flags: fin, seq: 753, ack: 4416},
		sent{from: segment.Client, left: 102, arrived: 103, flags: ack, seq: 4416, ack: 754},
	)
	x.Jiffy = ms(4)
	x.UntilGone = []segment.Side{segment.Server}
	x.Client.Call, x.Client.CalledAt, x.Client.Reads, x.Client.State = "", 0, false, "CLOSE_WAIT"
	x.Server.Call, x.Server.Reads, x.Server.EOF, x.Server.Socket, x.Server.State = "close()", false, nil, nil, "CLOSE"
	x.Server.Sources = []Source{SockDiag, SockOps}
	x.Server.Notices = slices.Concat(
		sampled("ESTABLISHED", 90, 0),
		told(SockOps, "ESTABLISHED", "FIN_WAIT1", 101, "FIN_WAIT2", 103),
		[]Notice{timer("FIN_WAIT2", 104, "keepalive", 1000)},
		told(SockOps, "FIN_WAIT2", "CLOSE", 1111),
		[]Notice{timer("FIN_WAIT2", 1130, "timewait", 982)},
		sampled("CLOSE", 2120, 4),
	)
	// Between these two nobody asked.
	x.Server.Notices[len(x.Server.Notices)-2].Earlier = ms(300)
	return x
}

func TestAFullSocketAndItsMiniSocketWaitOneAfterTheOther(t *testing.T) {
	trial := Judge(forgotten())
	want := []Wait{
		{State: "FIN_WAIT2", Timer: "keepalive", At: ms(103), For: ms(1001), Took: ms(1008)},
		{State: "FIN_WAIT2", Timer: "timewait", At: ms(1111), For: ms(1001), Took: ms(1009)},
	}
	if got := trial.Waits[segment.Server]; !slices.Equal(got, want) {
		t.Errorf("it waited\n%v, want\n%v", got, want)
	}
	path := trial.Paths[segment.Server]
	if got := names(path); got != "ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE" || path[3].At != ms(2120) {
		t.Errorf("it went through %s, the last at %v", got, path[len(path)-1].At)
	}
}

// Only sock_diag tells of what becomes of a mini-socket, and it may be asked late: its timer
// was set when the FIN came.
func TestAWaitBeginsWithWhatSetItsTimer(t *testing.T) {
	x := forgotten()
	x.Server.Sightings = append(x.Server.Sightings, segment.Sighting{At: ms(1200), Segment: x.Client.Sightings[5].Segment})
	asked := timer("TIME_WAIT", 1208, "timewait", 59_992)
	asked.Earlier = ms(70)
	last := len(x.Server.Notices) - 1
	x.Server.Notices = append(x.Server.Notices[:last], asked)
	x.Server.Notices = append(x.Server.Notices, sampled("CLOSE", 61_202, 4)...)
	want := Wait{State: "TIME_WAIT", Timer: "timewait", At: ms(1200), For: time.Minute, Took: ms(60_002)}
	if got := Judge(x).Waits[segment.Server]; len(got) != 3 || got[2] != want {
		t.Errorf("it waited\n%v, the last should be\n%v", got, want)
	}
}

// A wait that something else ended has no end; one that sock_diag tells of twice is one.
func TestWhatIsNoWait(t *testing.T) {
	x := unacknowledged()
	last := len(x.Server.Notices) - 1
	again := timer("FIN_WAIT1", 512, "retransmit", 406)
	again.Orphan = true
	x.Server.Notices = slices.Insert(x.Server.Notices, last, again, timer("FIN_WAIT1", 600, "retransmit", 204))
	for _, at := range []int{511, 599} { // the first does not set it
		x.Server.Sightings = append(x.Server.Sightings, segment.Sighting{At: ms(at), Segment: x.Client.Sightings[5].Segment})
	}
	got := Judge(x).Waits[segment.Server]
	if len(got) != 4 || got[2].Took != 0 || got[3].At != ms(599) || got[3].Took != ms(318) {
		t.Errorf("it waited %v", got)
	}
}

func TestWhatContradictsGivingUp(t *testing.T) {
	for why, change := range map[string]func(x *Exchange){
		"counted 0 of them (TCPAbortOnTimeout)": func(x *Exchange) {
			x.Server.Counters["TCPAbortOnTimeout"], x.Server.Counters["TCPTimeouts"] = 0, 1
		},
		`its program was told "ECONNRESET" instead of ETIMEDOUT`: func(x *Exchange) { x.Server.ReadError = "ECONNRESET" },
		"before its retransmit timer was due":                    func(x *Exchange) { x.Server.Notices[3].Expires = time.Minute },
		"it was not waiting for anything": func(x *Exchange) {
			for i := range x.Server.Notices {
				x.Server.Notices[i].Timer = ""
			}
		},
		"but it knows of one, or closed it": func(x *Exchange) { x.Server.State = "FIN_WAIT1" },
		"still knew the connection":         func(x *Exchange) { x.Server.State = "FIN_WAIT1" },
	} {
		x := unacknowledged()
		change(x)
		trial := Judge(x)
		if trial.Outcome != Inconclusive || !strings.Contains(strings.Join(trial.Why, "\n"), why) {
			t.Errorf("%s because %q, want it to be inconclusive because %q", trial.Outcome, trial.Why, why)
		}
	}
}

// Who has read the peer's FIN is told no more.
func TestAProgramThatHasReadEverythingIsNotTold(t *testing.T) {
	x := unacknowledged()
	eof := ms(101)
	x.Server.EOF, x.Server.ReadError = &eof, ""
	expectOutcome(t, Judge(x), TimedOut)
}

// Who gives up by a mini-socket counts nothing.
func TestAMiniSocketIsNotCountedAsGivenUp(t *testing.T) {
	x := forgotten()
	x.Server.Counters = map[string]int64{"TCPAbortOnTimeout": 1, "TCPTimeouts": 1}
	expectOutcome(t, Judge(x), Inconclusive)
}

// Timers that end nothing but a probe are not counted as timeouts.
func TestWhoGivesUpByAProbeTimer(t *testing.T) {
	x := unacknowledged()
	for i := range x.Server.Sightings {
		if s := &x.Server.Sightings[i]; s.Flags.Has(segment.FIN) {
			s.Flags, s.Seq = ack, s.Seq-1
		}
	}
	x.Server.Counters = map[string]int64{"TCPAbortOnTimeout": 1}
	x.Server.Socket.Retransmissions = 0
	for i := range x.Server.Notices {
		if n := &x.Server.Notices[i]; n.Timer != "" {
			n.Timer = "probe"
		}
	}
	expectOutcome(t, Judge(x), TimedOut)
}

func TestAnEndThatIsWaitedForAndLastsIsStuck(t *testing.T) {
	x := accepted()
	x.UntilGone = []segment.Side{segment.Server}
	x.GaveUp = true
	expectOutcome(t, Judge(x), Stuck)
	x.GaveUp = false
	expectOutcome(t, Judge(x), Inconclusive)
	x.Server.State = "CLOSE"
	expectOutcome(t, Judge(x), Clean)
}

// Who keeps a connection up by asking, and gets no answer, resets it.
func TestAKeepaliveThatGivesUpResets(t *testing.T) {
	x := forgotten()
	rst := x.Server.Sightings[len(x.Server.Sightings)-2]
	rst.At, rst.Flags = ms(2000), segment.RST|segment.ACK
	x.Server.Sightings = append(x.Server.Sightings, rst)
	x.Server.Counters = map[string]int64{"OutRsts": 1, "TCPAbortOnTimeout": 1}
	x.Server.Notices = slices.DeleteFunc(x.Server.Notices, func(n Notice) bool { return n.Timer == "timewait" })
	expectOutcome(t, Judge(x), Reset)
}

func TestWhenAPortCouldBeUsedAgain(t *testing.T) {
	x := accepted()
	x.Reopening = &Reopening{Refused: 3, LastRefused: ms(700), Opened: ms(720)}
	expectOutcome(t, Judge(x), Inconclusive) // since when?
	x.Client.Sources = []Source{SockDiag}
	x.Client.Notices = sampled("ESTABLISHED", 90, 0, "TIME_WAIT", 165, 1)
	trial := Judge(x)
	expectOutcome(t, trial, Clean)
	if want := (Reopening{Refused: 3, LastRefused: ms(535), Opened: ms(555)}); *trial.Reopened != want {
		t.Errorf("reopened %+v, want %+v", *trial.Reopened, want)
	}
}
