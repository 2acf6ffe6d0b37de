package report

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const ms = time.Millisecond

// timed is a record of one scenario whose server closed after those times, on a kernel with
// a jiffy of 4 ms.
func timed(source string, noise time.Duration, took ...time.Duration) *Record {
	r := New(Kernel{Source: source}, "virtual")
	for i, d := range took {
		trial := &teardown.Trial{Outcome: clean, Latency: latency{segment.Client: ms, segment.Server: d}}
		if i == 0 {
			trial.Exchange = &teardown.Exchange{Jiffy: 4 * ms, Noise: noise}
		}
		mustAdd(r, Entry{Name: "s", Expected: clean, Trial: trial})
	}
	return r
}

// around are n times within a tenth of a millisecond of one.
func around(d time.Duration, n int) (times []time.Duration) {
	draw := rand.New(rand.NewPCG(uint64(d), uint64(n)))
	for range n {
		times = append(times, d+time.Duration(draw.Int64N(int64(ms/10))))
	}
	return times
}

func TestShiftsOfLatency(t *testing.T) {
	for name, c := range map[string]struct {
		baseline, candidate []time.Duration
		noise               time.Duration
		change              Change
		why                 string
	}{
		"the same":                    {around(166*ms, 12), around(166*ms, 12), 0, Same, ""},
		"longer":                      {around(166*ms, 12), around(204*ms, 12), 0, Regressed, `^the server closed after 204\.\d ms \[204\.\d, 204\.\d\], was 166\.\d ms \[166\.\d, 166\.\d\]$`},
		"shorter":                     {around(204*ms, 12), around(166*ms, 12), 0, Improved, `^the server closed after 166\.\d ms`},
		"a jiffy longer":              {around(200*ms, 50), around(204*ms, 50), 0, Same, ""},
		"two jiffies longer":          {around(200*ms, 50), around(208*ms, 50), 0, Regressed, "^the server closed"},
		"a granule of the wheel more": {around(1000*ms, 50), around(1032*ms, 50), 0, Same, ""}, // 252 ms to 2016 ms: 32 ms
		"two granules more":           {around(1000*ms, 50), around(1064*ms, 50), 0, Regressed, "^the server closed"},
		"longer, in too few trials":   {around(166*ms, 5), around(204*ms, 5), 0, Same, ""},
		"longer, and too few to tell": {around(166*ms, 6), around(204*ms, 6), 0, Unknown, "chance cannot be ruled out; more trials would tell$"},
		"longer on a noisy machine":   {around(166*ms, 12), around(204*ms, 12), 50 * ms, Same, ""},
		"once much longer":            {around(166*ms, 12), append(around(166*ms, 11), time.Second), 0, Same, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			before, after := timed("debian/old", c.noise, c.baseline...), timed("debian/new", 0, c.candidate...)
			got := Compare(before, after)
			g.Expect(got.Rows[0].Change).To(Equal(c.change))
			g.Expect(got.Rows[0].Why).To(MatchRegexp(c.why))
			unsettled, moved := slices.Contains(got.Unsettled(), "s"), slices.ContainsFunc(got.Rows[0].Shifts, func(s Shift) bool {
				return s.What == "the server closed"
			})
			g.Expect(unsettled).To(Equal(c.change == Unknown))
			g.Expect(moved).To(Equal(c.change != Same))
			after.Clock = "real"
			g.Expect(Compare(before, after).Rows[0].Change).To(Equal(Same), "on two clocks")
		})
	}
}

// A timer that comes later shows where nothing else does: an end may close as soon as
// before.
func TestAFINThatIsSentAgainLater(t *testing.T) {
	g := NewWithT(t)
	with := func(delays []time.Duration) *Record {
		r := New(Kernel{Source: "debian/x"}, "virtual")
		for _, d := range delays {
			mustAdd(r, Entry{Name: "s", Expected: clean, Trial: &teardown.Trial{Outcome: retransmitted, Retransmissions: []teardown.Retransmission{
				{From: segment.Client, FIN: false, Delay: time.Second}, {From: segment.Client, FIN: true, Delay: d},
			}}})
		}
		return r
	}
	got := Compare(with(around(60*ms, 12)), with(around(204*ms, 12)))
	g.Expect(got.Verdict).To(Equal(Regression))
	g.Expect(got.Rows[0].Why).To(HavePrefix("the client sent its FIN again after 204."))
}

// What ends worse on one of the kernels, and what was not conclusive, says nothing of times.
func TestOnlyWhatEndedAlikeIsTimed(t *testing.T) {
	g := NewWithT(t)
	trials := func(o teardown.Outcome, d time.Duration) (all []teardown.Trial) {
		for range 12 {
			all = append(all, teardown.Trial{Outcome: o, Latency: latency{segment.Server: d}})
		}
		return all
	}
	f := family{scenarios: 1, sameClock: true}
	fast := Scenario{Name: "s", Expected: clean, Trials: trials(clean, ms)}
	slow := Scenario{Name: "s", Expected: clean, Trials: trials(retransmitted, 300*ms)}
	g.Expect(f.shifts(fast, slow)).To(BeEmpty())
	slow.Trials = slices.Concat(trials(inconclusive, 300*ms), trials(inconclusive, 300*ms), trials(clean, ms))
	g.Expect(f.shifts(fast, slow)).To(BeEmpty())
}

// Equal kernels whose latencies have two values, as where a delayed ACK is waited for or
// not, are no further apart than is claimed.
func TestEqualLatenciesAreNoRegression(t *testing.T) {
	g := NewWithT(t)
	draw := rand.New(rand.NewPCG(7, 8))
	some := func() (times []time.Duration) {
		for range 24 {
			times = append(times, time.Duration(1+40*draw.IntN(2))*ms+time.Duration(draw.Int64N(int64(ms))))
		}
		return times
	}
	moved := 0
	const runs = 2000
	for range runs {
		if got := Compare(timed("debian/old", 0, some()...), timed("debian/new", 0, some()...)); got.Rows[0].Change == Regressed {
			moved++
		}
	}
	// Half of one in a hundred is 10 of 2000; 24 or more come once in ten thousand.
	g.Expect(moved).To(BeNumerically("<", 24))
}
