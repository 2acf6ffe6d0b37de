package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
)

// A search looks, in a row of kernels, for where a good one comes next to a bad one.
type search struct {
	good, bad kernel.Image
	// versions are those of the row, oldest first; good and bad are its ends.
	versions []string

	resolve func(ctx context.Context, version string) (kernel.Image, error)
	show    func(ctx context.Context, image kernel.Image) (showing, error)
	stdout  io.Writer

	likeGood, likeBad string // what good and bad show
	steps             []step
}

// A judgement on a kernel of the row: one that is told to be neither good nor bad is
// skipped.
type judgement string

const (
	isGood  judgement = "good"
	isBad   judgement = "bad"
	skipped judgement = "skip"
)

// A step is what became of one kernel.
type step struct {
	// Kernel is the KERNEL argument.
	Kernel  string    `json:"kernel"`
	Version string    `json:"version"`
	Verdict judgement `json:"verdict"`
	// Shows is how the scenario ended, or the answer; Why, what kept it from being told.
	Shows string `json:"shows,omitempty"`
	Why   string `json:"why,omitempty"`
	// Ladder is the file that tells how it went.
	Ladder string `json:"ladder,omitempty"`
}

// String is the step in a line.
func (t step) String() string {
	line := fmt.Sprintf("%-4s  %v", t.Verdict, t.kernel())
	for _, text := range []string{t.Shows, t.Why} {
		if text != "" {
			line += ": " + text
		}
	}
	return line
}

// run searches, and prints each step.
func (s *search) run(ctx context.Context) (change, error) {
	ends, err := s.showEnds(ctx)
	if err != nil {
		return change{}, err
	}
	h := newHalving(len(s.versions))
	at := map[int]step{0: ends[0], len(s.versions) - 1: ends[1]}
	fmt.Fprintf(s.stdout, "%d between them\n", h.left())
	for i, more := h.next(); more; i, more = h.next() {
		if at[i], err = s.try(ctx, s.versions[i]); err != nil {
			return change{}, err
		}
		switch at[i].Verdict {
		case ends[0].Verdict:
			h.isLikeFirst(i)
		case ends[1].Verdict:
			h.isLikeLast(i)
		default:
			h.skip(i)
		}
		fmt.Fprintf(s.stdout, "%v; %d left\n", at[i], h.left())
	}
	found := change{Last: at[h.before], First: at[h.after], Steps: s.steps}
	for _, i := range h.between() {
		found.Untold = append(found.Untold, s.versions[i])
	}
	found.Distance = distance(found.Last.Version, found.First.Version)
	return found, nil
}

// showEnds shows that the good kernel is good and the bad one bad. It returns them in
// the order of the row.
func (s *search) showEnds(ctx context.Context) (ends [2]step, err error) {
	onGood, err := s.show(ctx, s.good)
	if err != nil {
		return ends, err
	}
	onBad, err := s.show(ctx, s.bad)
	if err != nil {
		return ends, err
	}
	s.likeGood, s.likeBad = onGood.outcome, onBad.outcome
	ends = [2]step{s.step(s.good, onGood), s.step(s.bad, onBad)}
	switch expected := onGood.expected; {
	case onGood.outcome == "" || onBad.outcome == "":
		return ends, fmt.Errorf("it has to be known what both do: --good %s: %s; --bad %s: %s",
			ends[0].kernel(), cmp.Or(onGood.outcome, onGood.why), ends[1].kernel(), cmp.Or(onBad.outcome, onBad.why))
	case onGood.outcome == onBad.outcome:
		return ends, fmt.Errorf("--good %s and --bad %s are the same in this: %s", ends[0].kernel(), ends[1].kernel(), onGood.outcome)
	case expected != "" && onGood.outcome != expected:
		return ends, fmt.Errorf("good is what ends %s: --good %s is %s, and --bad %s is %s", expected,
			ends[0].kernel(), onGood.outcome, ends[1].kernel(), onBad.outcome)
	}
	for _, end := range ends {
		s.steps = append(s.steps, end)
		fmt.Fprintln(s.stdout, end)
	}
	if s.versions[0] == s.bad.Version {
		slices.Reverse(ends[:])
	}
	return ends, nil
}

// try shows what a kernel of the row does. Where it cannot be had, that is told of it.
func (s *search) try(ctx context.Context, version string) (step, error) {
	image, err := s.resolve(ctx, version)
	var shown showing
	switch {
	case ctx.Err() != nil:
		return step{}, fmt.Errorf("%s was not tried: %w", version, context.Cause(ctx))
	case errors.Is(err, debian.ErrGone):
		image = kernel.Image{Source: "debian/" + version, Version: version}
		shown.why = debian.ErrGone.Error()
	case err != nil && !isToBlame(err):
		return step{}, err // as when a mirror is down: that says nothing of the kernel
	case err != nil:
		image = kernel.Image{Source: "debian/" + version, Version: version}
		shown.why = "it cannot be had: " + strings.TrimSuffix(firstLine(err.Error()), ":")
	default:
		if shown, err = s.show(ctx, image); err != nil {
			return step{}, err
		}
	}
	taken := s.step(image, shown)
	s.steps = append(s.steps, taken)
	return taken, nil
}

// step is the verdict on a kernel.
func (s *search) step(image kernel.Image, shown showing) step {
	taken := step{
		Kernel: image.Source, Version: image.Version, Verdict: skipped,
		Shows: shown.outcome, Why: shown.why, Ladder: shown.ladder,
	}
	switch shown.outcome {
	case "":
	case s.likeGood:
		taken.Verdict = isGood
	case s.likeBad:
		taken.Verdict = isBad
	default:
		taken.Why = fmt.Sprintf("neither %s nor %s", s.likeGood, s.likeBad)
	}
	return taken
}
