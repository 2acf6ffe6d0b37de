package report

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/behaviour"
)

// asksBehaviour tells a question about a behaviour from a scenario: it expects
// nothing.
func (s Scenario) asksBehaviour() bool { return s.Expected == "" }

var (
	// answers are a few words that can stand in a table as they are.
	answer = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ,-]{0,59}$`)
	// lines of an exchange can stand in a terminal and in a block of Markdown.
	exchangeLine = regexp.MustCompile("^[ -_a-~]{1,300}$")
)

// exchangeLines is more than an observation has.
const exchangeLines = 200

// checkObservation refuses what no experiment observes: an observation comes out of
// a guest, or a file.
func checkObservation(o behaviour.Observation) error {
	switch {
	case (o.Answer == "") == (o.Why == ""):
		return errors.New("an observation has an answer, or says why not")
	case o.Answer != "" && !answer.MatchString(o.Answer):
		return fmt.Errorf("%.100q is no answer: want up to 60 letters, digits, spaces, commas and hyphens", o.Answer)
	case len(o.Exchange) > exchangeLines:
		return fmt.Errorf("an observation of %d lines: it can have %d", len(o.Exchange), exchangeLines)
	}
	for _, line := range o.Exchange {
		if !exchangeLine.MatchString(line) {
			return fmt.Errorf("%.100q is no line of an exchange", line)
		}
	}
	return nil
}

// checkBehaviour refuses a behaviour whose parts contradict one another.
func (s Scenario) checkBehaviour() error {
	if s.Outcome != "" || len(s.Trials) > 0 || s.Race {
		return fmt.Errorf("%s: it has trials, and does not say what is expected of them", s.Name)
	}
	for _, o := range s.Observations {
		if err := checkObservation(o); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	if want := agreed(s.Observations); s.Observed != want {
		return fmt.Errorf("%s: what was observed is %.100q, but its observations come to %q", s.Name, s.Observed, want)
	}
	return nil
}

// alone is a scenario that has nothing but the entry, and of that no trial.
func (e Entry) alone() Scenario {
	s := Scenario{Name: e.Name, Skipped: e.Skipped, Error: e.Error}
	if e.Observation != nil {
		s.Observations = append(s.Observations, *e.Observation)
		s.Observed = agreed(s.Observations)
	}
	return s
}

// agreed is the answer of all observations; empty where there are several, or one of
// them was not conclusive.
func agreed(observations []behaviour.Observation) string {
	if len(observations) == 0 {
		return ""
	}
	for _, o := range observations {
		if o.Answer != observations[0].Answer {
			return ""
		}
	}
	return observations[0].Answer
}

// answered lists the answers, with how often each was given where there are several.
func (s Scenario) answered() string {
	if s.Observed != "" {
		return s.Observed
	}
	counts := map[string]int{}
	for _, o := range s.Observations {
		if o.Answer == "" {
			o.Answer = string(Unknown)
		}
		counts[o.Answer]++
	}
	var parts []string
	for _, words := range slices.Sorted(maps.Keys(counts)) {
		part := words
		if len(s.Observations) > 1 {
			part = fmt.Sprintf("%s %d", words, counts[words])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// noAnswer says why there is not one answer.
func (s Scenario) noAnswer() string {
	for _, o := range s.Observations {
		if o.Why != "" {
			return o.Why
		}
	}
	return "the observations differ: " + s.answered()
}

// exchange is what happened in an observation, a line each: the first whose answer
// is the scenario's.
func (s Scenario) exchange() string {
	for _, o := range s.Observations {
		if o.Answer == s.Observed {
			return strings.Join(o.Exchange, "\n") + "\n"
		}
	}
	return ""
}
