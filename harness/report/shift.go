package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Shift is a time that is another one on the candidate, over the trials that ended in
// the same way on both.
type Shift struct {
	// What took that long, such as "the server closed".
	What      string `json:"what"`
	Baseline  Spread `json:"baseline_ns"`
	Candidate Spread `json:"candidate_ns"`
	// P is how probable as great a difference is by chance (the Mann-Whitney U test).
	P float64 `json:"p"`

	change Change
}

// leastForMedian is how many trials hold a median between two of them in 95 of 100
// cases: the least and the greatest of five do so in 94.
const leastForMedian = 6

// longestJiffy is the longest tick that a kernel is configured for, HZ=100.
const longestJiffy = 10 * time.Millisecond

// measures are the times that are compared, each of the trials that have it.
var measures = []struct {
	what string
	of   func(teardown.Trial) (time.Duration, bool)
}{
	{"the client closed", latencyOf(segment.Client)},
	{"the server closed", latencyOf(segment.Server)},
	{"the client sent its FIN again", resentFIN(segment.Client)},
	{"the server sent its FIN again", resentFIN(segment.Server)},
}

func latencyOf(s segment.Side) func(teardown.Trial) (time.Duration, bool) {
	return func(t teardown.Trial) (time.Duration, bool) {
		latency, closed := t.Latency[s]
		return latency, closed
	}
}

func resentFIN(s segment.Side) func(teardown.Trial) (time.Duration, bool) {
	return func(t teardown.Trial) (time.Duration, bool) {
		for _, r := range t.Retransmissions {
			if r.From == s && r.FIN {
				return r.Delay, true
			}
		}
		return 0, false
	}
}

// shifts are the times that moved by more than the kernels' timers are exact to, and
// not by chance; or of which more trials have to tell whether it was chance.
func (f family) shifts(baseline, candidate Scenario) (moved []Shift) {
	outcome := commonest(candidate)
	jiffy, noise := granularity(baseline, candidate)
	for _, m := range measures {
		before, after := baseline.times(outcome, m.of), candidate.times(outcome, m.of)
		if min(len(before), len(after)) < leastForMedian {
			continue
		}
		s := Shift{What: m.what, Baseline: spread(before), Candidate: spread(after)}
		by := s.Candidate.Median - s.Baseline.Median
		if by.Abs() <= noise+leastMove(max(s.Baseline.Median, s.Candidate.Median), jiffy) {
			continue
		}
		s.P = benchmath.AssumeNothing.Compare(sampleOf(before), sampleOf(after)).P
		switch {
		case s.P > falseAlarm:
			continue
		case s.P > f.level(len(measures), max(len(before), len(after))):
			s.change = Unknown
		case by > 0:
			s.change = Regressed
		default:
			s.change = Improved
		}
		moved = append(moved, s)
	}
	return moved
}

// commonest is the way in which most of a scenario's trials ended.
func commonest(s Scenario) (outcome teardown.Outcome) {
	counts := distribute(s.Trials).Outcomes
	for _, o := range badness {
		if o != teardown.Inconclusive && counts[o] > counts[outcome] {
			outcome = o
		}
	}
	return outcome
}

// times are what was measured of the trials that ended in that way.
func (s Scenario) times(outcome teardown.Outcome, of func(teardown.Trial) (time.Duration, bool)) (times []time.Duration) {
	for _, t := range s.Trials {
		if d, measured := of(t); measured && t.Outcome == outcome {
			times = append(times, d)
		}
	}
	return times
}

// granularity is the longer of the two kernels' jiffies, and for how long the machine
// kept its threads waiting, where it was listened to. The trials that kept their
// exchange tell.
func granularity(scenarios ...Scenario) (jiffy, noise time.Duration) {
	for _, s := range scenarios {
		for _, t := range s.Trials {
			if t.Exchange != nil {
				jiffy, noise = max(jiffy, t.Exchange.Jiffy), max(noise, t.Exchange.Noise)
			}
		}
	}
	return cmp.Or(jiffy, longestJiffy), noise
}

// leastMove is how far a duration has to move to count. What a timer has a part in
// comes in steps: a jiffy, or, of what takes longer than 63 of them, the granule of that
// level of the timer wheel. Two kernels may be a step apart and mean the same, so what
// counts is what is nearer to two steps than to one.
func leastMove(d, jiffy time.Duration) time.Duration {
	step := teardown.Late(d, jiffy) - jiffy
	return step + step/2
}

// String is "the server closed after 204.0 ms [203.9, 204.4], was 166.2 ms [166.0, 166.3]".
func (s Shift) String() string {
	return fmt.Sprintf("%s after %s, was %s", s.What, s.Candidate.estimate(), s.Baseline.estimate())
}

// worstShift is the shift that decides: a regression before what is not known,
// before an improvement.
func worstShift(shifts []Shift) *Shift {
	for _, change := range []Change{Regressed, Unknown, Improved} {
		if i := slices.IndexFunc(shifts, func(s Shift) bool { return s.change == change }); i >= 0 {
			return &shifts[i]
		}
	}
	return nil
}
