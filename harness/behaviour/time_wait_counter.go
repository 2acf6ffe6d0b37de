package behaviour

import (
	"time"

	"github.com/finwait/finwait/harness/observe"
)

// A mini-socket, of FIN_WAIT2 as well as of TIME_WAIT, is counted as TW, or as TWKilled
// where it is to last for less than four seconds (net/ipv4/inet_timewait_sock.c,
// __inet_twsk_schedule and tw_timer_handler).
var timeWaitCounter = Question{
	Name: "time-wait-counter",
	Text: "When is a mini-socket counted among those of TIME_WAIT (TcpExt TW and TWKilled)?",
	Change: &Change{
		Commit: "27dd35e02235", Subject: "tcp/dccp: no longer use twsk_net(tw) from tw_timer_handler()",
		With: []string{"when it begins"}, Without: []string{"when it ends"},
	},
	Answers: []Answer{
		{"when it begins", "The counter says how many there were, up to now."},
		{"when it ends", "The counter says how many are over; those that last are not in it."},
	},
	experiment: func(s *stage) string {
		// As short as it can be: three and a half RTOs (include/net/tcp.h, tcp_fin_time).
		s.sysctl("net.ipv4.tcp_fin_timeout", "0")
		s.listenBy(usual)
		s.shakeHands()
		s.count()
		s.close()
		s.ask(s.next(0, 0))
		s.reach("FIN_WAIT2")
		begun := s.moved()
		s.reach("FIN_WAIT2") // still: all of that was before its end
		const counters = "TW+TWKilled"
		if begun["TW"]+begun["TWKilled"] > 0 {
			return s.agreed("when it begins", observe.Counters{counters: 1})
		}
		s.awaitGone()
		return s.agreed("when it ends", observe.Counters{counters: 1})
	},
}

// awaitGone waits until the server's kernel knows the connection no more.
func (s *stage) awaitGone() {
	now := time.NewTicker(10 * time.Millisecond)
	defer now.Stop()
	for s.state() != observe.Closed {
		select {
		case <-now.C:
		case <-s.ctx.Done():
			s.check(s.ctx.Err())
		}
	}
	s.note("server: %s", observe.Closed)
}
