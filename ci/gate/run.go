package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// options are the flags of gate run.
type options struct {
	baseline    string
	labelFilter string
	clock       string
	trials      int
	out         string
	mirrors     []string
}

func runCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run [KERNEL...]",
		Short: "Run the specs on kernels and compare them with a baseline",
		Example: `  gate run --baseline debian/bullseye debian/trixie
  gate run --label-filter overtaken-fin debian/bookworm debian/sid
  sudo gate run host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.baseline, "baseline", "", "the `KERNEL` that the others are compared with")
	flags.StringVar(&o.labelFilter, "label-filter", "", "play only the scenarios that match Ginkgo's label `EXPR`; each part of a name is a label")
	flags.StringVar(&o.clock, "clock", string(vm.Virtual), "the guest's clock: `virtual` (derived from the instructions executed) or real")
	flags.IntVar(&o.trials, "trials", 1, "play each scenario `N` times")
	flags.StringVar(&o.out, "out", "finwait-out", "the `DIR` for records and reports")
	mirrorFlag(cmd, &o.mirrors)
	return cmd
}

// run is the main job. Whatever has been recorded by the time something fails
// is reported and kept.
func (o options) run(ctx context.Context, stdout io.Writer, args []string) error {
	references, err := o.references(args)
	if err != nil {
		return err
	}
	images, err := o.resolve(ctx, references)
	if err != nil {
		return err
	}
	programs, err := build(ctx)
	if err != nil {
		return err
	}
	defer programs.remove()

	result, failure := o.play(ctx, stdout, images, programs)
	if len(result.Records) == 0 {
		return failure
	}
	fmt.Fprintln(stdout)
	if err := result.WriteTable(stdout); err != nil {
		return err
	}
	if err := write(o.out, result); err != nil {
		return errors.Join(failure, err)
	}
	fmt.Fprintf(stdout, "The records and ladders are in %s\n", o.out)
	if failure != nil {
		return failure
	}
	return verdict(result)
}

// references reads the arguments, the baseline first.
func (o options) references(args []string) ([]kernel.Reference, error) {
	switch {
	case vm.Clock(o.clock) != vm.Virtual && vm.Clock(o.clock) != vm.Real:
		return nil, fmt.Errorf("--clock %q: there are %q and %q", o.clock, vm.Virtual, vm.Real)
	case o.trials < 1:
		return nil, fmt.Errorf("--trials %d: a scenario is played at least once", o.trials)
	case len(args) == 0:
		return nil, errors.New("no KERNEL given: `gate kernels` lists what can be booted from here")
	}
	if o.baseline != "" {
		args = append([]string{o.baseline}, args...)
	}
	var references []kernel.Reference
	seen := map[kernel.Reference]bool{}
	for _, arg := range args {
		ref, err := kernel.Parse(arg)
		if err != nil {
			return nil, err
		}
		if !seen[ref] {
			references = append(references, ref)
		}
		seen[ref] = true
	}
	return references, nil
}

// resolve finds every kernel before the first is booted, so that a mistake in
// the last argument costs no time.
func (o options) resolve(ctx context.Context, references []kernel.Reference) ([]kernel.Image, error) {
	progress := newProgress(os.Stderr)
	archive := &debian.Archive{Mirrors: o.mirrors, Progress: progress.show, Notice: progress.say}
	var images []kernel.Image
	for _, ref := range references {
		if ref.Origin == kernel.Host {
			image, err := hostKernel()
			if err != nil {
				return nil, err
			}
			images = append(images, image)
			continue
		}
		image, err := archive.Resolve(ctx, ref)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// play runs the suite on one kernel after the other.
func (o options) play(ctx context.Context, stdout io.Writer, images []kernel.Image, programs programs) (report.Run, error) {
	var result report.Run
	var failures []error
	for _, image := range images {
		fmt.Fprintf(stdout, "%s: %s\n", image.Source, image.Release)
		record := &report.Record{
			Schema: report.Schema,
			Kernel: report.Kernel{Release: image.Release, Source: image.Source, Version: image.Version},
			Clock:  o.clock,
		}
		run := o.runInGuest
		if image.Source == hostSource {
			record.Clock = string(vm.Real)
			run = o.runOnHost
		}
		err := run(ctx, image, programs, func(line []byte) error {
			var entry report.Entry
			if err := json.Unmarshal(line, &entry); err != nil {
				return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
			}
			record.Add(entry)
			fmt.Fprintf(stdout, "  %s\n", entry.Summary())
			return nil
		})
		if err != nil {
			record.Incomplete = err.Error()
			failures = append(failures, err)
		}
		result.Records = append(result.Records, record)
		if ctx.Err() != nil {
			break
		}
	}
	if o.baseline != "" {
		for _, candidate := range result.Records[1:] {
			result.Comparisons = append(result.Comparisons, report.Compare(result.Records[0], candidate))
		}
	}
	return result, errors.Join(failures...)
}

// verdict turns a run into its exit status.
func verdict(r report.Run) error {
	switch r.Verdict() {
	case report.Regression:
		return exitStatus(exitRegression)
	case report.Undecided:
		return exitStatus(exitInconclusive)
	}
	return nil
}
