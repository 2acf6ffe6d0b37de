package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/finwait/finwait/harness/teardown"
)

const (
	// falseAlarm is how probable it may be that a comparison of two equal kernels, whatever
	// their trials depend on, finds a regression in any of its scenarios. Half of
	// it is for how trials end, and half for how long they take.
	falseAlarm = 0.01
	// leastShift is the smallest change of a share that counts, one trial in a hundred: two
	// shares are the same only where there are enough trials to know that they are no further apart.
	leastShift = 0.01
	// looks is how often a run looks at a scenario, at most, while its trials double: when
	// it was among those that looked worse, when all were played again, and
	// when a budget came to its end.
	looks = 3
	// Enough is how many trials of a scenario on each kernel tell that what all of
	// them did on the one and none on the other is no chance, among some hundreds of
	// scenarios: there are 2.7 million ways to choose 12 of 24.
	Enough = 12
)

// A family is all the scenarios of a comparison. The more there are, the more often one
// of them looks worse by chance, and the less one is believed (Bonferroni's correction).
type family struct {
	scenarios int
	// sameClock is true where latencies can be compared.
	sameClock bool
}

// level is how improbable a difference has to be to be believed, if it is looked for in
// so many tests of one scenario. A run looks at a scenario again and again, and may stop
// because of what it finds. So what is looked for in the k-th doubling of its trials, from
// Enough on, gets 1/(k(k+1)) of the whole: however many there are, that adds up to no more than
// all of it, which 1/k does not.
func (f family) level(tests, trials int) float64 {
	doubling := 1.0
	if trials > Enough {
		doubling += math.Ceil(math.Log2(float64(trials) / Enough))
	}
	return falseAlarm / 2 / float64(f.scenarios) / float64(tests) / (doubling * (doubling + 1)) / looks
}

// lacking is the severity of a trial that ended as expected, and lacks something else
// that is wanted of it.
const lacking = 1

// severity is how far a trial is from what a good kernel does: 0 is there, and what is
// above lacking is in the order of badness.
func (s Scenario) severity(t teardown.Trial) int {
	switch {
	case t.Outcome != s.Expected:
		return lacking + s.rank(t.Outcome)
	case len(t.Unmet) > 0:
		return lacking
	}
	return 0
}

// worst is more severe than any trial can be seen to be.
var worst = lacking + len(badness) + 1

// severities are those of the trials that were conclusive; open is how many were not.
func (s Scenario) severities() (seen []int, open int) {
	for _, t := range s.Trials {
		if t.Outcome == teardown.Inconclusive {
			open++
		} else {
			seen = append(seen, s.severity(t))
		}
	}
	return seen, open
}

// A judgement is what the outcomes of a scenario on two kernels come to.
type judgement struct {
	change Change
	// from is the severity from which on trials were counted, and the shares those of
	// such trials.
	from                int
	baseline, candidate Share
	// orWorse is true where some of the trials counted were more severe than that.
	orWorse bool
	// p is how probable as great a difference is by chance.
	p float64
	// settled is false where more trials can change what it comes to.
	settled bool
}

// judge compares how trials ended. Those that were not conclusive are no evidence of a
// regression; and only what would hold even if they had been the worst on the
// candidate, and as expected on the baseline, is evidence that there is none.
func (f family) judge(baseline, candidate Scenario) judgement {
	before, open := baseline.severities()
	after, alsoOpen := candidate.severities()
	j := f.weigh(before, after)
	if open+alsoOpen == 0 || j.change == Regressed {
		return j
	}
	before = append(before, make([]int, open)...)
	after = append(after, slices.Repeat([]int{worst}, alsoOpen)...)
	if f.weigh(before, after).change != j.change {
		j.change, j.settled = Unknown, true // more trials would not make these conclusive
	}
	return j
}

// weigh compares severities. Where all trials of each kernel went the same way, and not
// the same on both, no statistics are needed: a scenario that anything else than the
// kernel has a part in is a race, and the others go the same way each time.
// Otherwise the shares of trials that were as bad as this or worse are compared, for
// each degree of badness that there was: a difference that chance does not explain is
// one; shares that are not greater than the baseline's, or by less than counts, are
// the same; and of anything else nobody knows.
func (f family) weigh(before, after []int) judgement {
	degrees := slices.Concat(before, after)
	slices.Sort(degrees)
	degrees = slices.DeleteFunc(slices.Compact(degrees), func(d int) bool { return d == 0 })
	level := f.level(max(1, len(degrees)), max(len(before), len(after)))
	j := judgement{change: Same, p: 1, settled: true, baseline: shareOf(0, len(before)), candidate: shareOf(0, len(after))}
	for _, degree := range degrees {
		one := judgement{from: degree, baseline: countFrom(degree, before), candidate: countFrom(degree, after)}
		one.orWorse = degree < degrees[len(degrees)-1]
		one.decide(level)
		if one.urgency() < j.urgency() || one.change == j.change && one.p < j.p {
			j = one
		}
	}
	return j
}

func countFrom(degree int, severities []int) Share {
	n := 0
	for _, s := range severities {
		if s >= degree {
			n++
		}
	}
	return shareOf(n, len(severities))
}

// decide compares the shares.
func (j *judgement) decide(level float64) {
	before, after := j.baseline.part(), j.candidate.part()
	worse := byChance(j.candidate, j.baseline)
	better := byChance(j.baseline, j.candidate)
	j.p, j.settled = min(worse, better), true
	switch {
	case worse <= level:
		j.change = Regressed
	case better <= level:
		j.change = Improved
	case before == 0 && after == 1:
		j.change, j.settled = Regressed, false
	case before == 1 && after == 0:
		j.change = Improved
	case after <= before || atMost(j.candidate, j.baseline) < leastShift:
		j.change = Same
	default:
		j.change, j.settled = Unknown, false
	}
}

// urgency is the order in which what was found of a scenario decides.
func (j judgement) urgency() int {
	return slices.Index([]Change{Regressed, Unknown, Improved, Same}, j.change)
}

// outcome is that of the trials from which on was counted; empty where they ended as
// expected.
func (j judgement) outcome() teardown.Outcome {
	if i := j.from - lacking - 1; i >= 0 && i < len(badness) {
		return badness[i]
	}
	return ""
}

// words are what is counted, and on how many of the trials: "3 of 100 retransmitted, was
// 0 of 100".
func (j judgement) words() string {
	what := cmp.Or(string(j.outcome()), "without what else was wanted")
	if j.orWorse {
		what += " or worse"
	}
	return fmt.Sprintf("%v %s, was %v", j.candidate, what, j.baseline)
}

// why says what is to be known of the judgement beside the outcomes. One trial of each
// is seen as it is.
func (j judgement) why(f family) string {
	switch {
	case j.change == Unknown && j.p < 1:
		return j.words() + ": " + j.undecided(f)
	case j.candidate.Of == 1 && j.baseline.Of == 1, j.change == Same:
		return ""
	}
	return j.words()
}

// undecided says why shares that are not the same are no regression yet, and how
// many trials would tell if they went on alike.
func (j judgement) undecided(f family) string {
	const chance = "chance cannot be ruled out"
	for k := 2; k*j.candidate.Of <= 1<<16; k *= 2 {
		more := judgement{from: j.from, baseline: j.baseline.times(k), candidate: j.candidate.times(k)}
		more.decide(f.level(1, more.candidate.Of))
		if more.change != Unknown {
			return fmt.Sprintf("%s; some %d trials of each would tell", chance, more.candidate.Of)
		}
	}
	return chance
}
