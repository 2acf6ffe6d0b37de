// Package bisect finds, in a row of kernels, where one that is good comes next to one that
// is bad.
package bisect

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/finwait/finwait/harness/kernel"
)

// A Search looks for a change in a row of kernels.
type Search struct {
	Good, Bad kernel.Image
	// Versions are those of the row, oldest first; Good and Bad are its ends.
	Versions []string

	// Resolve finds a kernel of the row. Of one that cannot be had it says why; an error
	// says nothing of the kernel, and ends the search.
	Resolve func(ctx context.Context, version string) (image kernel.Image, why string, err error)
	// Show has a kernel show what it does. What the kernel is to blame for is no error.
	Show func(ctx context.Context, image kernel.Image) (Shown, error)
	// Out is where each step is printed.
	Out io.Writer

	likeGood, likeBad string // what Good and Bad show
	steps             []Step
}

// Shown is what a kernel shows.
type Shown struct {
	// Outcome is how the scenario ends, or the answer; empty where that is not known,
	// and Why says what kept it from being known.
	Outcome, Why string
	// Expected is how the scenario should end; empty for a behaviour.
	Expected string
	// Ladder is the file that tells how it went; empty where there is none.
	Ladder string
}

// Run searches.
func (s *Search) Run(ctx context.Context) (Change, error) {
	ends, err := s.showEnds(ctx)
	if err != nil {
		return Change{}, err
	}
	h := newHalving(len(s.Versions))
	at := map[int]Step{0: ends[0], len(s.Versions) - 1: ends[1]}
	fmt.Fprintf(s.Out, "%d between them\n", h.left())
	for i, more := h.next(); more; i, more = h.next() {
		if at[i], err = s.try(ctx, s.Versions[i]); err != nil {
			return Change{}, err
		}
		switch at[i].Verdict {
		case ends[0].Verdict:
			h.isLikeFirst(i)
		case ends[1].Verdict:
			h.isLikeLast(i)
		default:
			h.skip(i)
		}
		fmt.Fprintf(s.Out, "%v; %d left\n", at[i], h.left())
	}
	found := Change{Last: at[h.before], First: at[h.after], Steps: s.steps}
	for _, i := range h.between() {
		found.Untold = append(found.Untold, s.Versions[i])
	}
	found.Distance = distance(found.Last.Version, found.First.Version)
	return found, nil
}

// showEnds shows that the good kernel is good and the bad one bad. It returns them in
// the order of the row.
func (s *Search) showEnds(ctx context.Context) (ends [2]Step, err error) {
	onGood, err := s.Show(ctx, s.Good)
	if err != nil {
		return ends, err
	}
	onBad, err := s.Show(ctx, s.Bad)
	if err != nil {
		return ends, err
	}
	s.likeGood, s.likeBad = onGood.Outcome, onBad.Outcome
	ends = [2]Step{s.step(s.Good, onGood), s.step(s.Bad, onBad)}
	switch expected := onGood.Expected; {
	case onGood.Outcome == "" || onBad.Outcome == "":
		return ends, fmt.Errorf("it has to be known what both do: --good %s: %s; --bad %s: %s",
			ends[0].kernel(), cmp.Or(onGood.Outcome, onGood.Why), ends[1].kernel(), cmp.Or(onBad.Outcome, onBad.Why))
	case onGood.Outcome == onBad.Outcome:
		return ends, fmt.Errorf("--good %s and --bad %s are the same in this: %s", ends[0].kernel(), ends[1].kernel(), onGood.Outcome)
	case expected != "" && onGood.Outcome != expected:
		return ends, fmt.Errorf("good is what ends %s: --good %s is %s, and --bad %s is %s", expected,
			ends[0].kernel(), onGood.Outcome, ends[1].kernel(), onBad.Outcome)
	}
	for _, end := range ends {
		s.steps = append(s.steps, end)
		fmt.Fprintln(s.Out, end)
	}
	if s.Versions[0] == s.Bad.Version {
		slices.Reverse(ends[:])
	}
	return ends, nil
}

// try shows what a kernel of the row does. Where it cannot be had, that is told of it.
func (s *Search) try(ctx context.Context, version string) (Step, error) {
	image, why, err := s.Resolve(ctx, version)
	shown := Shown{Why: why}
	switch {
	case ctx.Err() != nil:
		return Step{}, fmt.Errorf("%s was not tried: %w", version, context.Cause(ctx))
	case err != nil:
		return Step{}, err
	case why != "":
		image = kernel.Image{Source: "debian/" + version, Version: version}
	default:
		if shown, err = s.Show(ctx, image); err != nil {
			return Step{}, err
		}
	}
	taken := s.step(image, shown)
	s.steps = append(s.steps, taken)
	return taken, nil
}

// step is the verdict on a kernel.
func (s *Search) step(image kernel.Image, shown Shown) Step {
	taken := Step{
		Kernel: image.Source, Version: image.Version, Verdict: Skipped,
		Shows: shown.Outcome, Why: shown.Why, Ladder: shown.Ladder,
	}
	switch shown.Outcome {
	case "":
	case s.likeGood:
		taken.Verdict = Good
	case s.likeBad:
		taken.Verdict = Bad
	default:
		taken.Why = fmt.Sprintf("neither %s nor %s", s.likeGood, s.likeBad)
	}
	return taken
}
