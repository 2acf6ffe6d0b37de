package teardown

import (
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/segment"
)

// dropped is the refused FIN, with what a kernel that tells says of it.
func dropped(reason string) *Exchange {
	x := refused()
	fin, _ := x.fin(segment.Client)
	x.Server.Sources = []Source{SockOps, KfreeSKB}
	x.Server.Notices = append(told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 102, "CLOSE", 365),
		Notice{At: ms(160), Source: KfreeSKB, Kind: DropNotice, Reason: reason, Seq: fin.Seq, End: fin.End()})
	x.Client.Sources = []Source{TCPRetransmitSKB}
	x.Client.Notices = []Notice{{At: ms(364), Source: TCPRetransmitSKB, Kind: ResentNotice, Timer: "tlp"}}
	return x
}

func TestCauses(t *testing.T) {
	lostFIN := build(
		sent{segment.Client, 101, lost, fin, 4416, 0, 753, 0},
		sent{segment.Client, 301, 301, fin, 4416, 0, 753, 0},
		sent{segment.Server, 302, 302, fin, 753, 0, 4417, 0},
		sent{segment.Client, 303, 303, ack, 4417, 0, 754, 0},
	)
	lostACK := build(
		sent{segment.Client, 101, 101, fin, 4416, 0, 753, 0},
		sent{segment.Server, 102, lost, ack, 753, 0, 4417, 0},
		sent{segment.Client, 301, 301, fin, 4416, 0, 753, 0},
		sent{segment.Server, 302, 302, fin, 753, 0, 4417, 0},
		sent{segment.Client, 303, 303, ack, 4417, 0, 754, 0},
	)
	for _, x := range []*Exchange{lostFIN, lostACK} {
		x.Client.Counters = map[string]int64{"RetransSegs": 1, "TCPTimeouts": 1}
		x.Client.Socket.Retransmissions = 1
	}
	for name, c := range map[string]struct {
		x    *Exchange
		want string
	}{
		"dropped, with a reason": {
			dropped("TCP_OLD_ACK"),
			"dropped by the server in FIN_WAIT2 (TCP_OLD_ACK): the server answered . 754:754(0) ack 4416, TCPChallengeACK 1, SK_MEMINFO_DROPS 1, kfree_skb",
		},
		"dropped, without": {
			dropped("NOT_SPECIFIED"),
			"dropped by the server in FIN_WAIT2: the server answered . 754:754(0) ack 4416, TCPChallengeACK 1, SK_MEMINFO_DROPS 1",
		},
		"lost":                         {lostFIN, "lost by the network: the server's tap did not see it"},
		"its acknowledgement was lost": {lostACK, "lost by the network: the server had accepted it, and its . 753:753(0) ack 4417 did not arrive"},
	} {
		trial := Judge(c.x)
		expectOutcome(t, trial, Retransmitted)
		if got := trial.Retransmissions[0].Cause.String(); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestNoticesThatContradictTheTaps(t *testing.T) {
	for want, bend := range map[string]func(*Exchange){
		"its kernel reported 0 (sock_ops)": func(x *Exchange) { x.Client.Sources = append(x.Client.Sources, SockOps) },
		"its kernel reported 2 (tcp_retransmit_skb)": func(x *Exchange) {
			x.Client.Notices = append(x.Client.Notices, x.Client.Notices...)
		},
		"sent again by the tlp, tcp_retransmit_skb says by the rto": func(x *Exchange) {
			x.Client.Notices[0].Timer = "rto"
		},
		"sock_ops said FIN_WAIT1": func(x *Exchange) {
			x.Server.Notices = append(x.Server.Notices[:1], sampled("CLOSE_WAIT", 300, 5)...)
			x.Server.Sources = []Source{SockOps, SockDiag}
		},
	} {
		x := dropped("TCP_OLD_ACK")
		bend(x)
		trial := Judge(x)
		expectOutcome(t, trial, Inconclusive)
		if !strings.Contains(strings.Join(trial.Why, "\n"), want) {
			t.Errorf("it says %q, want it to mention %q", trial.Why, want)
		}
	}
}

// A tracepoint may miss what happens, and nothing counts it.
func TestASilentTracepointContradictsNothing(t *testing.T) {
	x := dropped("TCP_OLD_ACK")
	x.Client.Notices = nil
	x.Server.Notices = x.Server.Notices[:3]
	x.Server.Sources = append(x.Server.Sources, InetSockSetState)
	x.Server.Notices = append(x.Server.Notices, told(InetSockSetState, "ESTABLISHED", "FIN_WAIT1", 100, "CLOSE", 365)...)
	trial := Judge(x)
	expectOutcome(t, trial, Retransmitted)
	if r := trial.Retransmissions[0]; r.Timer != TLP || r.Cause.By != "server" || r.Cause.Reason != "" {
		t.Errorf("it says %v", r)
	}
}
