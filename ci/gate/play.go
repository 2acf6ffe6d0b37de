package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// play plays the scenarios on the kernels, in as many rounds as it takes, and writes
// each one's record as soon as that kernel is through a round. The records are in the
// order of the kernels.
func (o options) play(ctx context.Context, images []kernel.Image, built *programs.Set) ([]*report.Record, error) {
	s := newSession(o, images, built)
	r := rounds{
		play: s.play, unsettled: s.unsettled, played: s.played, scenarios: s.scenarios, begins: s.begins,
		now: time.Now, say: func(text string) { fmt.Fprintln(o.stdout, text) },
	}
	var err error
	if o.budget > 0 {
		err = r.spend(ctx, o.budget)
	} else {
		err = r.confirm(ctx, o.trials)
	}
	return s.begun(), err
}

// onEach does something on each kernel, on as many side by side as the machine has
// room for, and gives it what each line that it prints begins with. A kernel that
// fails does not stop the others, but for an interrupt, which ends them all. The
// errors are in the order of the kernels.
func (o options) onEach(ctx context.Context, images []kernel.Image, do func(i int, out *screen, indent string) error) error {
	var (
		places  = o.sideBySide(images, room(vm.MemoryMiB(o.brought)))
		free    = semaphore.NewWeighted(int64(places))
		out     = newScreen(o.stdout)
		kernels sync.WaitGroup
		failed  = make([]error, len(images))
		names   = called(images)
	)
	for i, image := range images {
		takes := int64(1)
		if o.clockOf(image) == vm.Real {
			takes = int64(places)
		}
		if free.Acquire(ctx, takes) != nil {
			failed[i] = fmt.Errorf("%s was not run: %w", names[i], context.Cause(ctx))
			continue
		}
		indent := "  "
		if places > 1 {
			indent = fmt.Sprintf("%-*s  ", longest(names), names[i])
		}
		fmt.Fprintf(out, "%s: %s\n", names[i], image.Release)
		kernels.Go(func() {
			defer free.Release(takes)
			failed[i] = do(i, out, indent)
		})
	}
	kernels.Wait()
	out.close()
	return errors.Join(failed...)
}

// longSilence is how long it may take to write a record without a word.
const longSilence = 2 * time.Second

// keep writes a record, and says so where that takes long, as the drawings of an exchange of
// thousands of segments do.
func (o options) keep(ctx context.Context, record *report.Record, out *screen, indent string) error {
	said := make(chan struct{})
	word := time.AfterFunc(longSilence, func() {
		defer close(said)
		fmt.Fprintf(out, "%swriting the record, the ladders and the drawings\n", indent)
	})
	defer func() {
		if !word.Stop() {
			<-said
		}
	}()
	return writeRecord(ctx, o.out, record)
}

// recorded is what a record says of a kernel.
func recorded(image kernel.Image) report.Kernel {
	return report.Kernel{
		Release: image.Release, Source: image.Source, Version: image.Version, Arch: string(image.Arch), Notes: image.Notes,
	}
}

// clockOf is what a kernel takes for time. The running one has the machine's.
func (o options) clockOf(image kernel.Image) vm.Clock {
	if image.Source == hostSource {
		return vm.Real
	}
	return vm.Clock(o.clock)
}

// called are the kernels' names: their sources, and which is which where the baseline
// is its own candidate.
func called(images []kernel.Image) (names []string) {
	for i, image := range images {
		names = append(names, report.Kernel{Source: image.Source, Role: roleOf(images, i)}.Name())
	}
	return names
}

// roleOf is the role of the i-th kernel, where its source does not tell it from the others.
func roleOf(images []kernel.Image, i int) report.Role {
	twin := func(other kernel.Image) bool { return other.Source == images[i].Source }
	switch {
	case i > 0 && twin(images[0]):
		return report.Candidate
	case i == 0 && slices.ContainsFunc(images[1:], twin):
		return report.Baseline
	}
	return ""
}

func longest(names []string) (columns int) {
	for _, name := range names {
		columns = max(columns, len(name))
	}
	return columns
}
