package teardown

import (
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/segment"
)

// lostData is data of the server's that was lost, and sent again before its FIN.
func lostData(counters map[string]int64) *Exchange {
	x := build(
		sent{segment.Server, 101, lost, ack, 753, 1000, 4416, 0},
		sent{segment.Server, 102, 102, ack, 1753, 1000, 4416, 0},
		sent{segment.Server, 110, 110, ack, 753, 1000, 4416, 0},
		sent{segment.Server, 111, 111, fin, 2753, 0, 4416, 0},
		sent{segment.Client, 112, 112, fin, 4416, 0, 2754, 0},
		sent{segment.Server, 113, 113, ack, 2754, 0, 4417, 0},
	)
	x.Server.Counters = counters
	x.Server.Socket.Retransmissions = 1
	return x
}

func TestWhatSentItAgain(t *testing.T) {
	for _, c := range []struct {
		name     string
		counters map[string]int64
		outcome  Outcome
		timer    Timer
	}{
		{"its acknowledgements", map[string]int64{"RetransSegs": 1, "TCPFastRetrans": 1}, Retransmitted, FastRetransmit},
		{"the same, after a loss", map[string]int64{"RetransSegs": 1, "TCPSlowStartRetrans": 1}, Retransmitted, FastRetransmit},
		{"its RTO", map[string]int64{"RetransSegs": 1, "TCPTimeouts": 1}, Retransmitted, RTO},
		// The probe may have sent either of the new segments instead.
		{"one of two", map[string]int64{"RetransSegs": 1, "TCPTimeouts": 1, "TCPLossProbes": 1}, Retransmitted, ""},
		{"nothing", map[string]int64{"RetransSegs": 1}, Inconclusive, ""},
		{"more timeouts than segments", map[string]int64{"RetransSegs": 1, "TCPTimeouts": 2}, Inconclusive, ""},
		{"more probes than segments", map[string]int64{"RetransSegs": 1, "TCPLossProbes": 4}, Inconclusive, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			trial := Judge(lostData(c.counters))
			expectOutcome(t, trial, c.outcome)
			if len(trial.Retransmissions) != 1 || trial.Retransmissions[0].Timer != c.timer {
				t.Errorf("it was sent again by %+v, want %q", trial.Retransmissions, c.timer)
			}
		})
	}
}

// Which of two was the probe's, where the other was not the RTO's, nobody can tell.
func TestAProbeAmongFastRetransmissionsIsNotTold(t *testing.T) {
	for i := range int64(2) {
		if got := (reasons{probes: 1, fast: 1}).timerOf(i, 2); got != "" {
			t.Errorf("the one with the number %d was sent by the %s", i, got)
		}
	}
}

// A pure ACK that does not step back is no window probe, and can be overtaken.
func TestAnOvertakenACKIsNoWindowProbe(t *testing.T) {
	x := build(
		sent{segment.Server, 101, 101, ack, 753, 1000, 4416, 0},
		sent{segment.Client, 102, 110, ack, 4416, 0, 1753, 0},
		sent{segment.Server, 103, 103, fin, 1753, 0, 4416, 0},
		sent{segment.Client, 104, 104, ack, 4416, 0, 1754, 0},
		sent{segment.Client, 120, 120, fin, 4416, 0, 1754, 0},
		sent{segment.Server, 121, 121, ack, 1754, 0, 4417, 0},
	)
	x.Asked = []Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindACK}}
	expectOutcome(t, Judge(x), Clean)
}

// A window probe steps back by one, so that its peer has to answer. Nothing has
// overtaken it.
func TestWindowProbeWasNotOvertaken(t *testing.T) {
	x := build(
		sent{segment.Client, 101, 101, ack, 4415, 0, 753, 0},
		sent{segment.Server, 102, 102, ack, 753, 0, 4416, 0},
		sent{segment.Server, 103, 103, fin, 753, 0, 4416, 0},
		sent{segment.Client, 104, 104, fin, 4416, 0, 754, 0},
		sent{segment.Server, 105, 105, ack, 754, 0, 4417, 0},
	)
	expectOutcome(t, Judge(x), Clean)
}

// The peer had accepted it, and waited with its acknowledgement for longer than
// the timer of whoever had sent it.
func TestWhatADelayedACKHadRepeatedProvesNothing(t *testing.T) {
	x := build(
		sent{segment.Server, 101, 101, ack, 753, 1000, 4416, 0},
		sent{segment.Server, 305, 305, ack, 753, 1000, 4416, 0},
		sent{segment.Client, 306, 306, ack, 4416, 0, 1753, 0},
		sent{segment.Server, 311, 311, fin, 1753, 0, 4416, 0},
		sent{segment.Client, 312, 312, fin, 4416, 0, 1754, 0},
		sent{segment.Server, 313, 313, ack, 1754, 0, 4417, 0},
	)
	x.Server.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
	x.Server.Socket.Retransmissions = 1
	x.Client.Counters = map[string]int64{"DelayedACKLost": 1, "TCPDSACKOldSent": 1}
	trial := Judge(x)
	expectOutcome(t, trial, Inconclusive)
	if len(trial.Why) != 1 || !strings.Contains(trial.Why[0], "although the client had accepted it") {
		t.Errorf("it says %q", trial.Why)
	}
	delete(x.Client.Counters, "DelayedACKLost")
	expectOutcome(t, Judge(x), Retransmitted)
}

// A FIN that something on the way keeps for longer than its sender's timer is sent
// again, however its receiver takes it.
func TestWhatWasStillOnItsWayProvesNothing(t *testing.T) {
	held := func(arrived, again int) *Exchange {
		x := build(
			sent{segment.Client, 101, arrived, fin, 4416, 0, 753, 0},
			sent{segment.Server, 102, 102, fin, 753, 0, 4416, 0},
			sent{segment.Client, 103, 103, ack, 4417, 0, 754, 0},
			sent{segment.Client, 305, again, fin, 4416, 0, 753, 0},
			sent{segment.Server, 402, 402, ack, 754, 0, 4417, 0},
			sent{segment.Server, 502, 502, ack, 754, 0, 4417, 0},
		)
		x.Asked = []Overtaking{lateFIN}
		x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPLossProbes": 1}
		x.Client.Socket.Retransmissions = 1
		return x
	}
	trial := Judge(held(401, 501))
	expectOutcome(t, trial, Inconclusive)
	if len(trial.Why) != 1 || !strings.Contains(trial.Why[0], "still on its way") {
		t.Errorf("it says %q", trial.Why)
	}
	x := held(lost, 401)
	x.Asked = nil
	expectOutcome(t, Judge(x), Retransmitted)
}
