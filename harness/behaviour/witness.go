package behaviour

import (
	"maps"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
)

// reach wants the server to have come to a state: there is nothing to be seen of the
// question otherwise.
func (s *stage) reach(want observe.State) {
	if got := s.state(); got != want {
		s.doubt("the server is in %s, where the experiment wants it in %s", got, want)
	}
}

func (s *stage) state() observe.State {
	state, err := s.kernel.StateOf(s.local, s.client.Local)
	s.check(err)
	return state
}

// count has moved count from here on.
func (s *stage) count() {
	var err error
	s.before, err = s.kernel.Counters()
	s.check(err)
}

// moved are the counters of the server's kernel that have changed since count.
func (s *stage) moved() observe.Counters {
	now, err := s.kernel.Counters()
	s.check(err)
	return now.Moved(s.before)
}

// agreed returns an answer if the kernel's counters agree with it: if each of those
// named has moved by so much since count, and by nothing where that is 0. Where
// kernels count the same thing by different names, these stand together, with a plus
// between them. A kernel that does not have a counter counts nothing.
func (s *stage) agreed(words string, want observe.Counters) string {
	moved := s.moved()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var by int64
		for _, either := range strings.Split(name, "+") {
			by += moved[either]
		}
		if by != want[name] {
			s.doubt("what was seen is %q, but the counter %s moved by %d, and not by %d", words, name, by, want[name])
		}
	}
	return words
}

// unforeseen ends the experiment because the server answered as no kernel does that
// is known.
func (s *stage) unforeseen(answers []segment.Segment) string {
	if len(answers) == 0 {
		s.doubt("there was no answer; the counters that moved are %v", s.moved())
	}
	var shown []string
	for _, a := range answers {
		shown = append(shown, s.numbers.Relative(a).String())
	}
	s.doubt("the answer was %s; the counters that moved are %v", strings.Join(shown, ", then "), s.moved())
	return ""
}
