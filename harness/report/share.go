package report

import (
	"fmt"
	"math"
	"strconv"
)

// A Share is how many trials of a scenario ended in some way.
type Share struct {
	Trials int `json:"trials"`
	Of     int `json:"of"`
	// Low and High hold the share of all trials that the kernel would ever play, from
	// 0 to 1, in 95 of 100 cases (Wilson's score interval: Newcombe, "Two-sided
	// confidence intervals for the single proportion", 1998, method 3).
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func shareOf(trials, of int) Share {
	s := Share{Trials: trials, Of: of}
	s.Low, s.High = s.within(bothSides)
	return s
}

// The quantiles of the normal distribution that leave out 5 %: at both ends, and at one.
const (
	bothSides = 1.959964
	oneSide   = 1.644854
)

// within is Wilson's interval.
func (s Share) within(z float64) (low, high float64) {
	n, p := float64(s.Of), s.part()
	middle := p + z*z/(2*n)
	reach := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	whole := 1 + z*z/n
	return max(0, (middle-reach)/whole), min(1, (middle+reach)/whole)
}

func (s Share) part() float64 { return float64(s.Trials) / float64(s.Of) }

// times is the share as it would be if so many times as many trials had gone the same way.
func (s Share) times(k int) Share { return Share{Trials: k * s.Trials, Of: k * s.Of} }

// String is "3 of 100".
func (s Share) String() string { return fmt.Sprintf("%d of %d", s.Trials, s.Of) }

// percent is "76 to 100 %": what holds the share.
func (s Share) percent() string {
	return fmt.Sprintf("%s to %s %%", significant(100*s.Low), significant(100*s.High))
}

// significant is a percentage with as many figures as tell something.
func significant(percentage float64) string {
	if percentage < 10 {
		return strconv.FormatFloat(percentage, 'g', 2, 64)
	}
	return strconv.FormatFloat(percentage, 'f', 0, 64)
}

// byChance is how probable it is that so many or more of the trials on the candidate
// are among those that ended so on either kernel, if the kernels are the same: one tail
// of Fisher's exact test. It holds however few trials there are, and however rare what
// is counted is.
func byChance(candidate, baseline Share) (p float64) {
	all := candidate.Trials + baseline.Trials
	ways := logChoose(candidate.Of+baseline.Of, all)
	for k := candidate.Trials; k <= min(all, candidate.Of); k++ {
		if all-k <= baseline.Of {
			p += math.Exp(logChoose(candidate.Of, k) + logChoose(baseline.Of, all-k) - ways)
		}
	}
	return min(1, p)
}

// logChoose is the logarithm of how many ways there are to choose k of n.
func logChoose(n, k int) float64 {
	gamma := func(n int) float64 { l, _ := math.Lgamma(float64(n + 1)); return l }
	return gamma(n) - gamma(k) - gamma(n-k)
}

// atMost is how much greater the candidate's share may be than the baseline's, with a
// confidence of 95 % (Newcombe, "Interval estimation for the difference between
// independent proportions", 1998, method 10).
func atMost(candidate, baseline Share) float64 {
	low, _ := baseline.within(oneSide)
	_, high := candidate.within(oneSide)
	return candidate.part() - baseline.part() + math.Hypot(high-candidate.part(), baseline.part()-low)
}
