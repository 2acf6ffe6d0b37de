package behaviour

import (
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// A SYN may begin a new connection in the place of one in TIME_WAIT (RFC 9293 section
// 3.6.1, RFC 6191), but not one that fails PAWS, which is a duplicate. It is acknowledged
// like anything else there (net/ipv4/tcp_minisocks.c, tcp_timewait_state_process).
var synFailingPAWS = Question{
	Name: "syn-failing-paws",
	Text: "In TIME_WAIT comes a SYN whose timestamp fails PAWS: as what is it counted?",
	Change: &Change{
		Commit: "c449d5f3a3d7", Subject: "tcp: add LINUX_MIB_PAWS_TW_REJECTED counter",
		With: []string{"ACK, PAWSTimewait"}, Without: []string{"ACK, PAWSEstab"},
	},
	Answers: []Answer{
		{"ACK, PAWSEstab", "It is answered by an ACK, and counted as what an open connection drops."},
		{"ACK, PAWSTimewait", "It is answered by an ACK, and counted as what TIME_WAIT drops."},
	},
	experiment: func(s *stage) string {
		s.openWithTimestamps()
		s.write(100)
		s.enterTimeWait()
		s.count()
		syn := segment.Segment{Flags: segment.SYN, Seq: s.client.SndNxt + 1000}
		syn.Options = segment.Options{MSS: 1460, HasTimestamps: true, TSVal: stamp - 100}
		answers := s.ask(syn)
		if !one(answers, acknowledges(s.client.SndNxt)) {
			return s.unforeseen(answers)
		}
		s.reach("TIME_WAIT")
		if s.moved()["PAWSTimewait"] > 0 {
			return s.agreed("ACK, PAWSTimewait", observe.Counters{"PAWSTimewait": 1, "PAWSEstab": 0})
		}
		return s.agreed("ACK, PAWSEstab", observe.Counters{"PAWSEstab": 1})
	},
}

// enterTimeWait has the server close, and then the client.
func (s *stage) enterTimeWait() {
	s.close()
	s.ask(s.next(0, 0))
	fin := s.next(segment.FIN, 0)
	if answers := s.ask(fin); !one(answers, acknowledges(fin.End())) {
		s.unforeseen(answers)
	}
	s.client.SndNxt = fin.End()
	s.reach("TIME_WAIT")
}
