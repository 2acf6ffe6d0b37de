package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// A fakePlayer plays scenarios that end badly with some probability, each trial in some
// time of a clock of its own.
type fakePlayer struct {
	// bad is how probable it is that a trial of a scenario goes wrong, on the baseline
	// and on the candidate.
	bad map[string][2]float64
	// begins and each are what a round takes to its first spec, and a trial.
	begins, each time.Duration
	fails        error // of every round but the first

	session *session
	draw    *rand.Rand
	clock   time.Time
	log     []string
}

func newFake(seed uint64, bad map[string][2]float64) *fakePlayer {
	f := &fakePlayer{bad: bad, draw: rand.New(rand.NewPCG(seed, 1)), session: newSession(options{baseline: "x"}, nil, &programs.Set{})}
	f.session.kernels = make([]inSession, 2)
	for i := range f.session.kernels {
		f.session.kernels[i].record = report.New(report.Kernel{Source: fmt.Sprintf("debian/%d", i)}, "virtual")
	}
	return f
}

func (f *fakePlayer) rounds() rounds {
	return rounds{
		play: f.play, unsettled: f.session.unsettled, played: f.session.played, scenarios: f.session.scenarios,
		begins: func() time.Duration { return f.begins }, now: func() time.Time { return f.clock },
		say: func(text string) { f.log = append(f.log, text) },
	}
}

func (f *fakePlayer) play(_ context.Context, r round) error {
	if f.fails != nil && len(f.log) > 0 {
		return f.fails
	}
	names := r.names
	if len(names) == 0 {
		for name := range f.bad {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	f.clock = f.clock.Add(f.begins + f.each*time.Duration(r.trials*len(names)))
	f.log = append(f.log, fmt.Sprintf("%d of %s", r.trials, strings.Join(names, " ")))
	for i := range f.session.kernels {
		for _, name := range names {
			for range r.trials {
				outcome := teardown.Clean
				if f.draw.Float64() < f.bad[name][i] {
					outcome = teardown.Retransmitted
				}
				entry := report.Entry{Name: name, Expected: teardown.Clean, Trial: &teardown.Trial{Outcome: outcome}}
				if err := f.session.kernels[i].take(entry); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *fakePlayer) compared() report.Comparison {
	return report.NewRun(f.session.begun(), true).Comparisons[0]
}

func TestWhatLooksWorseIsConfirmed(t *testing.T) {
	g := NewWithT(t)
	f := newFake(1, map[string][2]float64{"same": {0, 0}, "better": {1, 0}, "worse": {0, 1}})
	g.Expect(f.rounds().confirm(t.Context(), 1)).To(Succeed())
	g.Expect(f.log).To(Equal([]string{
		"1 of better same worse",
		"worse again, 11 times on each kernel, to tell from chance what looks worse",
		"11 of worse",
	}))
	g.Expect(f.compared().Verdict).To(Equal(report.Regression))
	worse := f.compared().With(report.Regressed)
	g.Expect(worse).To(HaveLen(1))
	g.Expect(worse[0].Why).To(Equal("12 of 12 retransmitted, was 0 of 12"))
}

// Each time it is twice as often, until there is no more to be had from it.
func TestWhatStaysUnsettledIsGivenUp(t *testing.T) {
	g := NewWithT(t)
	f := newFake(1, map[string][2]float64{"worse": {0, 0.5}})
	r := f.rounds()
	r.unsettled = func() []string { return []string{"worse"} }
	g.Expect(r.confirm(t.Context(), 1)).To(Succeed())
	g.Expect(slices.DeleteFunc(f.log, func(s string) bool { return strings.Contains(s, "again") })).To(Equal([]string{
		"1 of worse", "11 of worse", "12 of worse", "24 of worse", "48 of worse", "96 of worse", "192 of worse", "384 of worse",
	}))
}

// Where many scenarios are unsettled, they are not played for hours without a budget.
func TestManyUnsettledAreGivenUpSooner(t *testing.T) {
	g := NewWithT(t)
	bad := map[string][2]float64{}
	for i := range 50 {
		bad[fmt.Sprintf("s%d", i)] = [2]float64{0, 1}
	}
	f := newFake(1, bad)
	r := f.rounds()
	r.unsettled = func() []string { return slices.Sorted(maps.Keys(bad)) }
	g.Expect(r.confirm(t.Context(), 1)).To(Succeed())
	g.Expect(r.played(nil)).To(Equal(24))
}

func TestARoundThatFailsIsTheLast(t *testing.T) {
	g := NewWithT(t)
	f := newFake(1, map[string][2]float64{"worse": {0, 1}})
	f.fails = errors.New("the guest died")
	g.Expect(f.rounds().confirm(t.Context(), 1)).To(MatchError("the guest died"))
	f = newFake(1, map[string][2]float64{"worse": {0, 1}})
	f.fails = errors.New("the guest died")
	g.Expect(f.rounds().spend(t.Context(), time.Hour)).To(MatchError("the guest died"))
}

// A scenario that the kernel no longer plays is not asked for without end.
func TestARoundThatPlaysNothingIsTheLast(t *testing.T) {
	g := NewWithT(t)
	for _, run := range []func(rounds) error{
		func(r rounds) error { return r.confirm(t.Context(), 1) },
		func(r rounds) error { return r.spend(t.Context(), time.Hour) },
	} {
		f := newFake(1, map[string][2]float64{"worse": {0, 1}})
		r, n := f.rounds(), 0
		r.play = func(ctx context.Context, next round) error {
			if n++; n > 1 {
				return nil
			}
			return f.play(ctx, next)
		}
		g.Expect(run(r)).To(Succeed())
		g.Expect(n).To(Equal(2))
	}
}

// Equal kernels, whatever their trials depend on: a run that plays again what looks worse
// reports no more false regressions than is claimed, one run in a hundred.
func TestEqualKernelsAreConfirmedToBeEqual(t *testing.T) {
	const runs = 300
	for _, p := range []float64{0, 0.01, 0.1, 0.5} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			found := 0
			for seed := range uint64(runs) {
				f := newFake(seed, map[string][2]float64{"a": {p, p}, "b": {p, p}, "c": {0, 0}})
				g.Expect(f.rounds().confirm(t.Context(), 1)).To(Succeed())
				if f.compared().Verdict == report.Regression {
					found++
				}
			}
			// Twelve or more of 300 come once in ten thousand, if they are one in a hundred.
			g.Expect(found).To(BeNumerically("<", 12))
		})
	}
}

func TestABudgetIsSpent(t *testing.T) {
	for name, c := range map[string]struct {
		bad    map[string][2]float64
		budget time.Duration
		log    []string
	}{
		"less than one round": {map[string][2]float64{"a": {}, "b": {}}, 2 * time.Second, []string{
			"1 of a b", "--budget 2s is less than it takes to play each scenario once, which was done: 3s",
			"each scenario was played once or more on each kernel, in 3s of 2s",
		}},
		"one round": {map[string][2]float64{"a": {}, "b": {}}, 5 * time.Second, []string{
			"1 of a b", "each scenario was played once or more on each kernel, in 3s of 5s",
		}},
		"as often as there is time": {map[string][2]float64{"a": {}, "b": {}}, 20 * time.Second, []string{
			"1 of a b", "all again, once on each kernel", "1 of a b", "all again, 2 times on each kernel", "2 of a b",
			"all again, 4 times on each kernel", "4 of a b",
			"each scenario was played 8 times or more on each kernel, in 20s of 20s: what happens in 31 % of the trials or more has shown itself, in 95 of 100 cases",
		}},
		"what looks worse first": {map[string][2]float64{"a": {}, "b": {0, 1}}, 20 * time.Second, []string{
			"1 of a b", "b again, 11 times on each kernel, to tell from chance what looks worse", "11 of b",
			"all again, once on each kernel", "1 of a b",
			"each scenario was played 2 times or more on each kernel, in 18s of 20s: what happens in 78 % of the trials or more has shown itself, in 95 of 100 cases",
		}},
		"what looks worse, often enough in any case": {map[string][2]float64{"a": {}, "b": {0, 1}}, 9 * time.Second, []string{
			"1 of a b", "b again, 11 times on each kernel, to tell from chance what looks worse", "11 of b",
			"each scenario was played once or more on each kernel, in 15s of 9s",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			f := newFake(1, c.bad)
			f.begins, f.each = time.Second, time.Second
			g.Expect(f.rounds().spend(t.Context(), c.budget)).To(Succeed())
			g.Expect(f.log).To(Equal(c.log))
		})
	}
}

// What was played often enough to judge it goes on as long as there is time.
func TestABudgetLimitsWhatStaysUnsettled(t *testing.T) {
	g := NewWithT(t)
	f := newFake(1, map[string][2]float64{"a": {}, "b": {0, 1}})
	f.begins, f.each = time.Second, time.Second
	r := f.rounds()
	r.unsettled = func() []string { return []string{"b"} }
	g.Expect(r.spend(t.Context(), 20*time.Second)).To(Succeed())
	g.Expect(f.log).To(Equal([]string{
		"1 of a b", "b again, 11 times on each kernel, to tell from chance what looks worse", "11 of b",
		"b again, 4 times on each kernel, to tell from chance what looks worse", "4 of b",
		"each scenario was played once or more on each kernel, in 20s of 20s",
	}))
}

// What Ginkgo holds the focus against is the texts of a spec and of what it is in.
func TestTheFocusIsOnTheseScenariosAlone(t *testing.T) {
	g := NewWithT(t)
	g.Expect(round{}.focus()).To(BeEmpty())
	focus := regexp.MustCompile(round{names: []string{"a/b", "c/d-e"}}.focus())
	for text, want := range map[string]bool{
		"a/b": true, "Some thing a/b": true, "c/d-e": true,
		"Some thing a/b/c": false, "Some thing x/a/b": false, "Some thing c/d": false, "a/b and more": false, "x-a/b": false,
	} {
		g.Expect(focus.MatchString(text)).To(Equal(want), text)
	}
}

func TestAKernelThatIsItsOwnBaselineIsToldApart(t *testing.T) {
	g := NewWithT(t)
	references, err := options{baseline: "debian/x"}.references([]string{"debian/x", "debian/y"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(references).To(HaveLen(3))
	_, err = options{baseline: "debian/x"}.references([]string{"debian/x", "debian/x"})
	g.Expect(err).To(MatchError(ContainSubstring("debian/x is named twice")))
	_, err = options{}.references([]string{"debian/x", "debian/x"})
	g.Expect(err).To(MatchError(ContainSubstring("debian/x is named twice")))

	out := t.TempDir()
	var records []*report.Record
	for _, role := range []report.Role{report.Baseline, report.Candidate} {
		record := report.New(report.Kernel{Source: "debian/x", Version: "1-1", Role: role}, "virtual")
		add(t, record, "s", teardown.Clean)
		g.Expect(writeRecord(t.Context(), out, record)).To(Succeed())
		records = append(records, record)
	}
	g.Expect(writeRun(t.Context(), out, report.NewRun(records, true))).To(Succeed())
	for _, folder := range []string{"debian-x-baseline", "debian-x-candidate"} {
		role := strings.TrimPrefix(folder, "debian-x-")
		g.Expect(contentOf(t, out+"/"+folder+"/junit.xml")).To(ContainSubstring(`<testsuite name="` + role + ` debian/x (1-1)"`))
		g.Expect(contentOf(t, out+"/gate.md")).To(ContainSubstring("| " + role + " debian/x (1-1)"))
		g.Expect(contentOf(t, out+"/"+pageFile)).To(ContainSubstring(role + " debian/x (1-1)"))
		g.Expect(contentOf(t, out+"/gate.json")).To(ContainSubstring(`"role": "` + role + `"`))
	}
	holdLinks(t, out)
}
