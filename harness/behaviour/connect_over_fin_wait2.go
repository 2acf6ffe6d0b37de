package behaviour

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// With tcp_tw_reuse connect() may take the port of a connection in TIME_WAIT to the same
// peer, whose timestamps tell the two apart. In FIN_WAIT2 the peer has not yet closed:
// it would answer the SYN out of the old connection (net/ipv4/tcp_ipv4.c,
// tcp_twsk_unique).
var connectOverFINWAIT2 = Question{
	Name: "connect-over-fin-wait2",
	Text: "The only port that connect() can choose belongs to a mini-socket in FIN_WAIT2, with the same peer: is it used?",
	Change: &Change{
		Commit: "0d9e5df4a257", Subject: "tcp: avoid reusing FIN_WAIT2 when trying to find port in connect() process",
		With: []string{"refused"}, Without: []string{"reused"},
	},
	Answers: []Answer{
		{"refused", "connect() finds no port (EADDRNOTAVAIL): it takes that of a mini-socket in TIME_WAIT only."},
		{"reused", "A SYN goes out, although the peer has the old connection still open."},
	},
	experiment: func(s *stage) string {
		s.sysctl("net.ipv4.tcp_tw_reuse", "1")
		wait := 1100 * time.Millisecond // longer than the second that older kernels count in
		if s.hasSysctl("net.ipv4.tcp_tw_reuse_delay", "1") {
			wait = 10 * time.Millisecond
		}
		s.connects()
		s.client.TSVal = stamp
		s.check(s.connect())
		if answers := s.answer(segment.ACK); !one(answers, acknowledges(s.client.SndNxt)) {
			return s.unforeseen(answers)
		}
		s.close()
		s.ask(s.next(0, 0))
		s.reach("FIN_WAIT2")
		s.pass(wait)
		s.count()
		if s.reuses() {
			return s.agreed("reused", observe.Counters{"TWRecycled": 1})
		}
		// In TIME_WAIT it is, or nothing was shown.
		s.client.TSVal = 0 // timestamps would begin the wait anew
		s.ask(s.next(segment.FIN, 0))
		s.reach("TIME_WAIT")
		if !s.reuses() {
			s.doubt("connect() is refused the port of a connection in TIME_WAIT, too")
		}
		return s.agreed("refused", observe.Counters{"TWRecycled": 1})
	},
}

// reuses reports whether the server's connect() sends a SYN; otherwise it was refused a
// port.
func (s *stage) reuses() bool {
	err := s.connect()
	answers := s.settle()
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL) && none(answers):
		s.note("server: no port")
		return false
	case err != nil:
		s.check(err)
	case !one(answers, isSYN):
		s.unforeseen(answers)
	}
	return true
}

func isSYN(seg segment.Segment) bool { return seg.Flags.Has(segment.SYN) }

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	s.note("%v pass", d)
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.ctx.Done():
		s.check(s.ctx.Err())
	}
}
