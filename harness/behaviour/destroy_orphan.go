package behaviour

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/observe"
)

// SOCK_DESTROY, by which ss -K works, is the administrator's way to be rid of a
// connection. An orphan is one whose program has closed it (net/ipv4/tcp.c,
// tcp_abort).
var destroyOrphan = Question{
	Name: "destroy-orphan",
	Text: "The program has closed the connection, and its FIN is not acknowledged: what does SOCK_DESTROY do to what is left?",
	Change: &Change{
		Commit: "bac76cf89816", Subject: "tcp: fix forever orphan socket caused by tcp_abort",
		With: []string{"RST"}, Without: []string{"nothing"},
	},
	Answers: []Answer{
		{"RST", "The connection is gone, and the peer is told by a RST."},
		{"nothing", "The call succeeds and changes nothing: the orphan goes on."},
	},
	experiment: func(s *stage) string {
		s.open()
		s.close()
		s.reach("FIN_WAIT1")
		s.count()
		s.note("server: SOCK_DESTROY")
		err := s.kernel.Destroy(s.local, s.client.Local)
		if errors.Is(err, unix.EOPNOTSUPP) {
			err = &kernel.MissingCapability{Name: "INET_DIAG_DESTROY", Err: err}
		}
		s.check(err)
		answers := s.settle()
		switch state := s.state(); {
		case one(answers, isRST) && state == observe.Closed:
			return s.agreed("RST", observe.Counters{"OutRsts": 1})
		case none(answers) && state == "FIN_WAIT1":
			return s.agreed("nothing", observe.Counters{"OutRsts": 0})
		default:
			s.note("server: %s", state)
			return s.unforeseen(answers)
		}
	},
}
