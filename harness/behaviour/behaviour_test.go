package behaviour

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/observe"
)

// Each question has an answer on the running kernel, whichever that is.
func TestEachQuestionIsAnswered(t *testing.T) {
	for _, q := range All() {
		t.Run(q.Name, func(t *testing.T) {
			got, err := q.Ask(t.Context())
			var missing *kernel.MissingCapability
			if errors.As(err, &missing) {
				t.Skip(missing)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Answer == "" {
				t.Errorf("it was not conclusive:\n%s", got.Text())
			}
			t.Logf("\n%s", got.Text())
		})
	}
}

func TestQuestionsAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, q := range All() {
		if names[q.Name] {
			t.Errorf("there are two questions %s", q.Name)
		}
		names[q.Name] = true
		if !strings.HasSuffix(q.Text, "?") && !strings.HasSuffix(q.Text, "?)") || len(q.Answers) < 2 {
			t.Errorf("%s lacks its question, or its answers", q.Name)
		}
		words := map[string]bool{}
		for _, a := range q.Answers {
			if words[a.Words] || a.Words == "" || !strings.HasSuffix(a.Means, ".") {
				t.Errorf("%s: the answer %q is there twice, or not explained", q.Name, a.Words)
			}
			words[a.Words] = true
		}
		if q.Change != nil {
			expectWhole(t, q.Name, *q.Change, words)
		}
	}
}

// commit begins a hash as git abbreviates those of Linux.
var commit = regexp.MustCompile(`^[0-9a-f]{12}$`)

// expectWhole wants a change that some of the answers tell to be there, and others not.
func expectWhole(t *testing.T, name string, c Change, words map[string]bool) {
	if !commit.MatchString(c.Commit) || c.Subject == "" || len(c.With) == 0 || len(c.Without) == 0 {
		t.Errorf("%s: the change %+v lacks its commit, or what tells of it", name, c)
	}
	for _, answer := range slices.Concat(c.With, c.Without) {
		if !words[answer] {
			t.Errorf("%s: %q, by which the change is told, is none of its answers, or tells both", name, answer)
		}
		delete(words, answer)
	}
}

func TestAChangeIsToldByTheAnswer(t *testing.T) {
	c := Change{With: []string{"new", "newest"}, Without: []string{"old"}}
	for answer, want := range map[string]Presence{"new": Present, "newest": Present, "old": Absent, "another": Open, "": Open} {
		if got := c.In(answer); got != want {
			t.Errorf("%q: %s, want %s", answer, got, want)
		}
	}
}

// An experiment that is like those that there are, but for what it makes of what it sees.
func experiment(conclude func(*stage) string) Question {
	return Question{Name: "test", Answers: []Answer{{Words: "yes"}, {Words: "no"}}, experiment: func(s *stage) string {
		s.open()
		s.count()
		s.ask(s.provocation())
		return conclude(s)
	}}
}

func TestWitnessesThatContradictGiveNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		conclude func(*stage) string
		answer   string
		why      string
	}{
		"agree": {
			func(s *stage) string { return s.agreed("yes", observe.Counters{"TCPChallengeACK": 1}) }, "yes", "",
		},
		"agree on a sum": {
			func(s *stage) string { return s.agreed("yes", observe.Counters{"TCPAbortOnClose+TCPChallengeACK": 1}) }, "yes", "",
		},
		"contradict": {
			func(s *stage) string { return s.agreed("yes", observe.Counters{"TCPChallengeACK": 0}) },
			"", `what was seen is "yes", but the counter TCPChallengeACK moved by 1, and not by 0`,
		},
		"another state": {
			func(s *stage) string { s.reach("TIME_WAIT"); return "yes" },
			"", "the server is in ESTABLISHED, where the experiment wants it in TIME_WAIT",
		},
		"unforeseen": {
			func(s *stage) string { return s.unforeseen(s.close()) }, "", "the answer was F. 1:1(0) ack 1; ",
		},
	} {
		got, err := experiment(c.conclude).Ask(t.Context())
		if err != nil || got.Answer != c.answer || !strings.HasPrefix(got.Why, c.why) || (got.Why == "") != (c.why == "") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWhatTheHarnessCannotDoIsAnError(t *testing.T) {
	var missing *kernel.MissingCapability
	if _, err := experiment(func(s *stage) string { s.sysctl("net.ipv4.no_such", "1"); return "yes" }).Ask(t.Context()); !errors.As(err, &missing) {
		t.Errorf("a sysctl that there is not gives %v", err)
	}
	if _, err := experiment(func(*stage) string { return "perhaps" }).Ask(t.Context()); err == nil {
		t.Error("an answer that is none was taken")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	if _, err := experiment(func(s *stage) string { cancel(interrupted); s.settle(); return "yes" }).Ask(ctx); !errors.Is(err, interrupted) {
		t.Errorf("an interrupt gives %v", err)
	}
}

func TestAskLeavesNothing(t *testing.T) {
	files := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	ask := func() {
		for _, conclude := range []func(*stage) string{
			func(*stage) string { return "yes" },
			func(s *stage) string { return s.unforeseen(s.close()) },
			func(s *stage) string { s.check(errors.New("broken")); return "" },
		} {
			_, _ = experiment(conclude).Ask(t.Context())
		}
	}
	ask()
	before := files()
	ask()
	if after := files(); after != before {
		t.Errorf("there were %d open files, and there are %d", before, after)
	}
}
