package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// play plays the scenarios on the kernels and writes each one's record as soon as
// that kernel is through. The records are in the order of the kernels.
func (o options) play(ctx context.Context, images []kernel.Image, programs programs) ([]*report.Record, error) {
	records := make([]*report.Record, len(images))
	err := o.onEach(ctx, images, func(i int, out *screen, indent string) error {
		record, err := o.playOn(ctx, images[i], programs, out, indent)
		records[i] = record
		if len(record.Scenarios) == 0 {
			return err // nothing to keep, and an earlier run may have left more
		}
		return errors.Join(err, writeRecord(o.out, record))
	})
	return slices.DeleteFunc(records, func(r *report.Record) bool { return r == nil }), err
}

// onEach does something on each kernel, on as many side by side as the machine has
// room for, and gives it what each line that it prints begins with. A kernel that
// fails does not stop the others, but for an interrupt, which ends them all. The
// errors are in the order of the kernels.
func (o options) onEach(ctx context.Context, images []kernel.Image, do func(i int, out *screen, indent string) error) error {
	var (
		places  = o.sideBySide(images, room())
		free    = semaphore.NewWeighted(int64(places))
		out     = newScreen(o.stdout)
		kernels sync.WaitGroup
		failed  = make([]error, len(images))
	)
	for i, image := range images {
		takes := int64(1)
		if o.clockOf(image) == vm.Real {
			takes = int64(places)
		}
		if free.Acquire(ctx, takes) != nil {
			failed[i] = fmt.Errorf("%s was not run: %w", image.Source, context.Cause(ctx))
			continue
		}
		indent := "  "
		if places > 1 {
			indent = fmt.Sprintf("%-*s  ", longestName(images), image.Source)
		}
		fmt.Fprintf(out, "%s: %s\n", image.Source, image.Release)
		kernels.Go(func() {
			defer free.Release(takes)
			failed[i] = do(i, out, indent)
		})
	}
	kernels.Wait()
	out.close()
	return errors.Join(failed...)
}

// playOn runs the suite on one kernel. It prints each trial on a line that
// begins with the indent.
func (o options) playOn(ctx context.Context, image kernel.Image, programs programs, out *screen, indent string) (*report.Record, error) {
	record := report.New(recorded(image), string(o.clockOf(image)))
	record.Environment = environment(image)
	args := func(file string) []string { return o.suiteArgs(o.clockOf(image), file) }
	far := out.begin(image.Source)
	defer out.end(far)
	begun := time.Now()
	var first time.Duration // of the host's time, to the first spec
	guest, err := o.runOn(ctx, image, programs, job{args, func(line []byte) error {
		var entry report.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
		}
		if first == 0 {
			first = time.Since(begun)
		}
		if entry.Progress != nil {
			out.reach(far, *entry.Progress)
			return nil
		}
		if err := record.Add(entry); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s\n", indent, entry.Summary())
		return nil
	}, out.notices(indent)})
	record.Accelerator = string(guest.Accelerator)
	record.Kernel.Release = cmp.Or(record.Kernel.Release, guest.Release)
	if err != nil {
		record.Incomplete = firstLine(err.Error())
	} else {
		fmt.Fprintf(out, "%splayed %d, %s\n", indent, len(record.Scenarios), spent(first, time.Since(begun), guest))
	}
	return record, err
}

// recorded is what a record says of a kernel.
func recorded(image kernel.Image) report.Kernel {
	return report.Kernel{
		Release: image.Release, Source: image.Source, Version: image.Version, Arch: string(image.Arch), Notes: image.Notes,
	}
}

// spent tells what a kernel's part of a run took: of the host's time, and of the
// guest's, if there was a guest.
func spent(first, whole time.Duration, guest vm.Result) string {
	text := fmt.Sprintf("the first spec after %.1f s, all in %.1f s", first.Seconds(), whole.Seconds())
	switch {
	case guest.Release == "":
		return text
	case guest.Resumed:
		text += " (resumed)"
	default:
		text += " (booted)"
	}
	return text + fmt.Sprintf("; %.1f s of the guest's time", guest.Ran.Seconds())
}

// clockOf is what a kernel takes for time. The running one has the machine's.
func (o options) clockOf(image kernel.Image) vm.Clock {
	if image.Source == hostSource {
		return vm.Real
	}
	return vm.Clock(o.clock)
}

func longestName(images []kernel.Image) (columns int) {
	for _, image := range images {
		columns = max(columns, len(image.Source))
	}
	return columns
}
