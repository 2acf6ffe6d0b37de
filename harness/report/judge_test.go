package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

// some are n trials of which so many ended in another way than clean.
func some(bad int, o teardown.Outcome, n int) outcomes {
	return append(slices.Repeat(outcomes{o}, bad), slices.Repeat(outcomes{clean}, n-bad)...)
}

func TestJudgementOfShares(t *testing.T) {
	for name, c := range map[string]struct {
		baseline, candidate outcomes
		change              Change
		unsettled           bool
		why                 string
	}{
		"the same share of many":             {some(5, retransmitted, 100), some(5, retransmitted, 100), Same, false, ""},
		"ten times as often":                 {some(5, retransmitted, 100), some(50, retransmitted, 100), Regressed, false, "50 of 100 retransmitted, was 5 of 100"},
		"a tenth as often":                   {some(50, retransmitted, 100), some(5, retransmitted, 100), Improved, false, "5 of 100 retransmitted, was 50 of 100"},
		"one trial in a hundred":             {some(0, retransmitted, 100), some(1, retransmitted, 100), Unknown, true, "1 of 100 retransmitted, was 0 of 100: chance cannot be ruled out; some 1600 trials of each would tell"},
		"one in a hundred of thousands":      {some(0, retransmitted, 3000), some(30, retransmitted, 3000), Regressed, false, "30 of 3000 retransmitted, was 0 of 3000"},
		"one in a thousand, which is less":   {some(0, retransmitted, 3000), some(3, retransmitted, 3000), Same, false, ""},
		"one instead of two":                 {some(2, retransmitted, 100), some(1, retransmitted, 100), Same, false, ""},
		"all, of few":                        {some(0, stuck, 2), some(2, stuck, 2), Regressed, true, "2 of 2 stuck, was 0 of 2"},
		"all, of enough":                     {some(0, stuck, Enough), some(Enough, stuck, Enough), Regressed, false, "12 of 12 stuck, was 0 of 12"},
		"none, of one":                       {some(1, stuck, 1), some(0, stuck, 1), Improved, false, ""},
		"as many, but worse":                 {some(20, retransmitted, 40), some(20, stuck, 40), Regressed, false, "20 of 40 stuck, was 0 of 40"},
		"more often, but less bad":           {some(20, stuck, 40), some(40, retransmitted, 40), Regressed, false, "40 of 40 retransmitted or worse, was 20 of 40"},
		"one of a hundred not conclusive":    {some(0, stuck, 100), some(1, inconclusive, 100), Unknown, false, "candidate: the order asked for was not seen"},
		"one of thousands not conclusive":    {some(0, stuck, 2000), some(1, inconclusive, 2000), Same, false, ""},
		"the baseline's is not conclusive":   {some(1, inconclusive, 2), some(2, stuck, 2), Regressed, true, "2 of 2 stuck, was 0 of 1"},
		"better, unless what is not known":   {some(12, stuck, 12), some(6, inconclusive, 12), Unknown, false, "candidate: the order asked for was not seen"},
		"nothing that was conclusive at all": {some(0, stuck, 1), some(3, inconclusive, 3), Unknown, false, "candidate: the order asked for was not seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			got := Compare(
				record("debian/old", map[string][]teardown.Outcome{"s": c.baseline}),
				record("debian/new", map[string][]teardown.Outcome{"s": c.candidate}),
			)
			g.Expect(got.Rows[0].Change).To(Equal(c.change))
			g.Expect(got.Rows[0].Why).To(Equal(c.why))
			g.Expect(got.Rows[0].Why).To(HaveSuffix(got.Rows[0].evidence)) // figures of what was not conclusive tell nothing
			unsettled := slices.Contains(got.Unsettled(), "s")
			g.Expect(unsettled).To(Equal(c.unsettled))
		})
	}
}

// The same kernel twice, whatever the probability that a trial goes wrong: among all that
// can be seen of so many trials, regressions are as rare as is claimed. Nothing
// is drawn: every case is weighed by its probability.
func TestEqualKernelsAreNoRegression(t *testing.T) {
	for _, n := range []int{12, 13, 24, 100} {
		for _, p := range []float64{0, 0.01, 0.1, 0.5, 0.99, 1} {
			t.Run(fmt.Sprintf("%d trials, %g", n, p), func(t *testing.T) {
				t.Parallel()
				g := NewWithT(t)
				f := family{scenarios: 1}
				seen := binomial(n, p)
				regressed, improved := 0.0, 0.0
				for a := range seen {
					for b := range seen {
						switch j := f.weigh(severitiesOf(a, n), severitiesOf(b, n)); j.change {
						case Regressed:
							regressed += seen[a] * seen[b]
						case Improved:
							improved += seen[a] * seen[b]
						}
					}
				}
				g.Expect(regressed).To(BeNumerically("<=", falseAlarm/2))
				g.Expect(improved).To(BeNumerically("<=", falseAlarm/2))
				if p == 0 || p == 1 {
					g.Expect(regressed + improved).To(BeZero())
				}
			})
		}
	}
}

func severitiesOf(bad, n int) []int {
	return append(slices.Repeat([]int{3}, bad), make([]int, n-bad)...)
}

// A run that looks at its trials again whenever it has doubled them, and stops when it
// likes what it sees, finds no more false regressions than one that does not.
func TestLookingAgainFindsNoFalseRegressions(t *testing.T) {
	const runs = 4000
	for _, p := range []float64{0.01, 0.1, 0.5} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			draw := rand.New(rand.NewPCG(1, uint64(1000*p)))
			found := 0
			for range runs {
				if stopsAt(draw, family{scenarios: 1}, p, p, 768) == Regressed {
					found++
				}
			}
			// That many or more of 4000 come once in a million, if they are 5 of 1000.
			g.Expect(found).To(BeNumerically("<=", 45))
		})
	}
}

// stopsAt plays until it is settled, as a run does.
func stopsAt(draw *rand.Rand, f family, p, q float64, most int) Change {
	var before, after []int
	for n := Enough; ; n *= 2 {
		before, after = drawUpTo(draw, before, p, n), drawUpTo(draw, after, q, n)
		if j := f.weigh(before, after); j.settled || n >= most {
			return j.change
		}
	}
}

func drawUpTo(draw *rand.Rand, severities []int, p float64, n int) []int {
	for len(severities) < n {
		severity := 0
		if draw.Float64() < p {
			severity = 3
		}
		severities = append(severities, severity)
	}
	return severities
}

// One FIN in a hundred that is lost is found, among three hundred scenarios, and is
// never taken for no change before there have been enough trials to know.
func TestOneInAHundredIsFound(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := family{scenarios: 300}
	draw := rand.New(rand.NewPCG(2, 3))
	for range 200 {
		before, after := make([]int, 4000), drawUpTo(draw, nil, 0.01, 4000)
		g.Expect(f.weigh(before, after).change).To(Equal(Regressed))
		if slices.Contains(after[:100], 3) {
			g.Expect(f.weigh(before[:100], after[:100]).change).NotTo(Equal(Same))
		}
	}
}

// What is a regression one way is an improvement the other way.
func TestJudgementIsSymmetric(t *testing.T) {
	g := NewWithT(t)
	f := family{scenarios: 10}
	mirrored := map[Change]Change{Regressed: Improved, Improved: Regressed}
	for _, n := range []int{1, 12, 30} {
		for a := 0; a <= n; a++ {
			for b := 0; b <= n; b++ {
				there := f.weigh(severitiesOf(a, n), severitiesOf(b, n)).change
				back := f.weigh(severitiesOf(b, n), severitiesOf(a, n)).change
				if want, ok := mirrored[there]; ok {
					g.Expect(back).To(Equal(want), "%d and %d of %d", a, b, n)
				} else {
					g.Expect(mirrored).NotTo(HaveKey(back), "%d and %d of %d", a, b, n)
				}
			}
		}
	}
}

// More scenarios make one that looks worse less remarkable.
func TestTheFamilyIsHeld(t *testing.T) {
	g := NewWithT(t)
	before, after := severitiesOf(0, 20), severitiesOf(11, 20)
	g.Expect(family{scenarios: 1}.weigh(before, after).change).To(Equal(Regressed))
	g.Expect(family{scenarios: 300}.weigh(before, after).change).To(Equal(Unknown))
}

// A run looks some times on its way to 12, 24, 48, ... trials, and each time may be the last:
// however many looks there are, together they cost no more than one false alarm may.
func TestLooksShareOneFalseAlarm(t *testing.T) {
	g := NewWithT(t)
	f := family{scenarios: 5}
	spent := 0.0
	for n := Enough; n < Enough<<40; n *= 2 {
		level := f.level(2, n)
		g.Expect(level).To(BeNumerically(">", 0))
		g.Expect(f.level(2, n+1)).To(BeNumerically("<", level), "%d trials and one more", n)
		spent += looks * level
	}
	g.Expect(spent).To(BeNumerically("<=", falseAlarm/2/5/2))
}

func BenchmarkCompare(b *testing.B) {
	draw := rand.New(rand.NewPCG(4, 5))
	make := func() *Record {
		scenarios := map[string][]teardown.Outcome{}
		for i := range 300 {
			bad := 0
			if i%3 == 0 {
				bad = draw.IntN(30)
			}
			scenarios[fmt.Sprintf("s%d", i)] = some(bad, retransmitted, 100)
		}
		return record("debian/x", scenarios)
	}
	baseline, candidate := make(), make()
	for b.Loop() {
		Compare(baseline, candidate)
	}
}
