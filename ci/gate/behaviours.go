package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/vm"
)

// An asker is gate behaviours: the options that it shares with gate run, and its own.
type asker struct {
	options
	expect string
}

func behavioursCommand() *cobra.Command {
	a := asker{options: options{clock: string(vm.Virtual), labelFilter: "behaviour"}}
	cmd := &cobra.Command{
		Use:   "behaviours [KERNEL...]",
		Short: "Say which known changes kernels have, by experiment, and hold it against what is expected",
		Long: `behaviours asks each kernel, by experiments, what is known to differ from kernel to
kernel, and says whether it has the change to Linux that the difference came with.
Without a KERNEL it lists the questions.

What pinned kernels are to answer is in ci/behaviours.yaml, by the version of their
packages; of other kernels nothing is expected.

Exit status: 0 as expected, or nothing is expected, 1 the gate could not do its work,
2 an answer is not what is expected, 3 a question was not answered.`,
		Example: `  gate behaviours
  gate behaviours debian/bullseye debian/trixie
  gate behaviours --expect mine.yaml debian/6.1.170-3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.stdout, a.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if len(args) == 0 {
				return listQuestions(a.stdout)
			}
			return a.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&a.expect, "expect", "", "the `FILE` with what kernels are to answer (default: ci/behaviours.yaml, as it was when the gate was built)")
	flags.IntVar(&a.trials, "trials", 1, "make each experiment `N` times")
	flags.StringVar(&a.out, "out", filepath.Join("finwait-out", "behaviours"), "the `DIR` for records, and for what was sent and received")
	coldFlag(cmd, &a.cold)
	a.addArchiveFlags(cmd)
	return cmd
}

// listQuestions prints what kernels are asked.
func listQuestions(w io.Writer) error {
	for _, q := range behaviour.All() {
		fmt.Fprintf(w, "%s\n  %s\n", q.Name, q.Text)
		if q.Change != nil {
			fmt.Fprintf(w, "  %s %q\n", q.Change.Commit, q.Change.Subject)
		}
		for _, answer := range q.Answers {
			fmt.Fprintf(w, "    %-28s %s\n", answer.Words, answer.Means)
		}
	}
	return nil
}

// run asks the kernels. What a kernel has answered is shown also where another could
// not be asked. While they are asked, what goes on is told on standard error, so that
// standard output is the answers alone.
func (a asker) run(ctx context.Context, args []string) error {
	expected, err := loadExpectations(a.expect)
	if err != nil {
		return err
	}
	images, built, err := a.prepare(ctx, args)
	if err != nil {
		return err
	}
	defer built.Remove()
	asking := a.options
	asking.stdout = a.stderr
	records, failure := asking.play(ctx, images, built)
	var kernels []findings
	for _, record := range records {
		if len(record.Scenarios) > 0 {
			kernels = append(kernels, expected.hold(record))
		}
	}
	if err := writeFindings(a.stdout, kernels, expected.source); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	return verdictOn(kernels)
}
