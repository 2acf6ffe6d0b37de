package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// play runs the suite on the kernels, as many side by side as the machine has
// room for, and writes each one's record as soon as that kernel is through. A
// kernel that fails does not stop the others, but for an interrupt, which ends
// them all. The records and errors are in the order of the kernels.
func (o options) play(ctx context.Context, images []kernel.Image, programs programs) ([]*report.Record, error) {
	var (
		places  = o.sideBySide(images, room())
		free    = semaphore.NewWeighted(int64(places))
		out     = &lineWriter{out: o.stdout}
		kernels sync.WaitGroup
		records = make([]*report.Record, len(images))
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
			records[i], failed[i] = o.playOn(ctx, image, programs, out, indent)
			if len(records[i].Scenarios) == 0 {
				return // nothing to keep, and an earlier run may have left more
			}
			failed[i] = errors.Join(failed[i], writeRecord(o.out, records[i]))
		})
	}
	kernels.Wait()
	played := slices.DeleteFunc(records, func(r *report.Record) bool { return r == nil })
	return played, errors.Join(failed...)
}

// playOn runs the suite on one kernel. It prints each trial on a line that
// begins with the indent.
func (o options) playOn(ctx context.Context, image kernel.Image, programs programs, out io.Writer, indent string) (*report.Record, error) {
	run := o.runInGuest
	if image.Source == hostSource {
		run = o.runOnHost
	}
	record := report.New(report.Kernel{
		Release: image.Release, Source: image.Source, Version: image.Version, Notes: image.Notes,
	}, string(o.clockOf(image)))
	err := run(ctx, image, programs, func(line []byte) error {
		var entry report.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
		}
		if err := record.Add(entry); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s\n", indent, entry.Summary())
		return nil
	})
	if err != nil {
		record.Incomplete = firstLine(err.Error())
	}
	return record, err
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

// A lineWriter is written whole lines by several goroutines.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
