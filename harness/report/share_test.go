package report

import (
	"math"
	exact "math/big"
	"testing"

	. "github.com/onsi/gomega"
)

// byCounting is what byChance is, by whole numbers.
func byCounting(candidate, baseline Share) float64 {
	all := int64(candidate.Trials + baseline.Trials)
	ways, whole := new(exact.Int), new(exact.Int).Binomial(int64(candidate.Of+baseline.Of), all)
	for k := int64(candidate.Trials); k <= all; k++ {
		one := new(exact.Int).Binomial(int64(candidate.Of), k)
		ways.Add(ways, one.Mul(one, new(exact.Int).Binomial(int64(baseline.Of), all-k)))
	}
	p, _ := new(exact.Rat).SetFrac(ways, whole).Float64()
	return p
}

func TestChanceIsCountedExactly(t *testing.T) {
	g := NewWithT(t)
	for n := 1; n <= 12; n++ {
		for m := 1; m <= 12; m++ {
			for a := 0; a <= n; a++ {
				for b := 0; b <= m; b++ {
					before, after := Share{Trials: a, Of: n}, Share{Trials: b, Of: m}
					g.Expect(byChance(after, before)).To(BeNumerically("~", byCounting(after, before), 1e-9), "%v against %v", after, before)
				}
			}
		}
	}
	// A lady who tells all eight cups, and one who tells six (Fisher, The Design of Experiments, 1935).
	g.Expect(byChance(Share{Trials: 4, Of: 4}, Share{Trials: 0, Of: 4})).To(BeNumerically("~", 1.0/70, 1e-9))
	g.Expect(byChance(Share{Trials: 3, Of: 4}, Share{Trials: 1, Of: 4})).To(BeNumerically("~", 17.0/70, 1e-9))
	g.Expect(byChance(Share{Trials: 60, Of: 6000}, Share{Trials: 0, Of: 6000})).To(BeNumerically(">", 0))
}

// The figures are those of Newcombe's papers of 1998: tables I and II.
func TestIntervals(t *testing.T) {
	g := NewWithT(t)
	for _, c := range []struct {
		trials, of int
		low, high  float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
	} {
		s := shareOf(c.trials, c.of)
		g.Expect(s.Low).To(BeNumerically("~", c.low, 1e-4), "%v", s)
		g.Expect(s.High).To(BeNumerically("~", c.high, 1e-4), "%v", s)
	}
	for n := 1; n < 50; n++ { // what was seen of all or none is held at the end
		g.Expect(shareOf(n, n).High).To(BeNumerically("~", 1, 1e-12))
		g.Expect(shareOf(0, n).Low).To(BeZero())
	}
}

// What is believed to be less than one in a hundred more is so at least nineteen times
// out of twenty, or nearly (an approximation): counted over all that can be seen.
func TestAtMostCoversTheDifference(t *testing.T) {
	g := NewWithT(t)
	for _, c := range []struct {
		n                   int
		baseline, candidate float64
	}{{50, 0.1, 0.3}, {100, 0.5, 0.5}, {100, 0.05, 0.1}, {200, 0.02, 0.03}, {400, 0, 0.02}} {
		before, after := binomial(c.n, c.baseline), binomial(c.n, c.candidate)
		covered := 0.0
		for a, p := range before {
			for b, q := range after {
				if atMost(Share{Trials: b, Of: c.n}, Share{Trials: a, Of: c.n}) >= c.candidate-c.baseline {
					covered += p * q
				}
			}
		}
		g.Expect(covered).To(BeNumerically(">", 0.93), "%+v", c)
	}
}

// binomial is how probable each number of n is, if each is one with probability p.
func binomial(n int, p float64) []float64 {
	all := make([]float64, n+1)
	for k := range all {
		all[k] = math.Exp(logChoose(n, k)) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
	}
	return all
}
