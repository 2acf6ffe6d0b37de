package behaviour

import (
	"time"

	"github.com/finwait/finwait/harness/clock"
)

// A budget that all connections share tells who spends from it how much others do, so
// that off-path attackers could find connections by it (CVE-2016-5696). Its random part
// came of that, then a budget for each network namespace, and then none by default
// (net/ipv4/tcp_input.c, tcp_send_challenge_ack).
var challengeACKBudget = Question{
	Name: "challenge-ack-budget",
	Text: "One connection asks for challenge ACKs without end: do they run out, and for whom?",
	Change: &Change{
		Commit: "79e3602caa6f", Subject: "tcp: make global challenge ack rate limitation per net-ns and default disabled",
		With: []string{"without limit"}, Without: []string{"out for the host"},
	},
	Answers: []Answer{
		{"without limit", "There are as many as are asked for."},
		{"out for the host", "They run out, and other hosts' connections in other namespaces get none either."},
		{"out for the namespace", "They run out, for connections of the same namespace only."},
	},
	Alone: true,
	experiment: func(s *stage) string {
		other := s.stage()
		for _, each := range []*stage{s, other} {
			each.sysctl("net.ipv4.tcp_invalid_ratelimit", "0")
			each.open()
		}
		defer s.awaitChallengeACK()
		for {
			s.count()
			answered, out := s.spend()
			if by := s.moved()["TCPChallengeACK"]; by != int64(answered) {
				s.doubt("there were %d challenge ACKs, but the counter TCPChallengeACK moved by %d", answered, by)
			}
			if !out {
				return "without limit"
			}
			theirs := other.challenged(other.ask(other.provocation()))
			// A new second has a new budget: nothing is known then.
			switch ours := s.challenged(s.ask(s.provocation())); {
			case ours:
				continue
			case theirs:
				return "out for the namespace"
			}
			return "out for the host"
		}
	},
}

// most is the most that a budget holds for a second: one and a half of 1000, a random
// number below that.
const most = 1500

// spend asks for challenge ACKs until they run out, or until there were more than the
// seconds that this took, of which it saw two at least in part, can have brought.
func (s *stage) spend() (answered int, out bool) {
	const atOnce = 50
	begun := clock.Now()
	for {
		for range atOnce {
			s.send(s.provocation())
		}
		n := len(s.settle())
		answered += n
		if n < atOnce {
			return answered, true
		}
		if seconds := int(clock.Now().Sub(begun) / time.Second); answered > (seconds+2)*most {
			return answered, false
		}
	}
}

// awaitChallengeACK waits until there are challenge ACKs again, for whoever else may
// want one.
func (s *stage) awaitChallengeACK() {
	now := time.NewTicker(20 * time.Millisecond)
	defer now.Stop()
	for !s.challenged(s.ask(s.provocation())) {
		<-now.C
	}
}
