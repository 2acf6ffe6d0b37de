package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// options are the flags of gate run.
type options struct {
	baseline    string
	labelFilter string
	clock       string
	trials      int
	budget      time.Duration
	out         string
	cold        bool
	archiveOptions

	// suite is the one to run, programs.Specs if it is empty; own are arguments that it takes
	// besides, on a kernel, and brought what it finds in a guest.
	suite   programs.Suite
	own     func(kernel.Image) []string
	brought *luggage.Luggage

	// compares says that kernels are compared with each other without a baseline, too.
	compares bool

	stdout, stderr io.Writer
}

func runCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run [KERNEL...]",
		Short: "Run the specs on kernels and compare them with a baseline",
		Example: `  gate run --baseline debian/bullseye debian/trixie
  gate run --baseline debian/bullseye --budget 10m debian/trixie
  gate run --label-filter overtaken-fin debian/bookworm debian/sid
  sudo gate run host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := checkBudget(cmd, o.budget); err != nil {
				return err
			}
			return o.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.baseline, "baseline", "", "the `KERNEL` that the others are compared with; it can be one of them, too")
	flags.StringVar(&o.labelFilter, "label-filter", "", "play only the scenarios that match Ginkgo's label `EXPR`; each part of a name is a label")
	flags.StringVar(&o.clock, "clock", string(vm.Virtual), "the guest's `CLOCK`: virtual (derived from the instructions executed) or real")
	flags.IntVar(&o.trials, "trials", 1, "play each scenario `N` times")
	flags.DurationVar(&o.budget, "budget", 0, "play each scenario as often as there is time for in that `DURATION`, such as 10m; the first time is always whole")
	flags.StringVar(&o.out, "out", "finwait-out", "the `DIR` for records and reports")
	coldFlag(cmd, &o.cold)
	o.addArchiveFlags(cmd)
	return cmd
}

func coldFlag(cmd *cobra.Command, cold *bool) {
	cmd.Flags().BoolVar(cold, "cold", false, "boot each kernel, instead of going on from where it had booted the last time")
}

// checkBudget refuses a budget that is none, and one beside a number of trials.
func checkBudget(cmd *cobra.Command, budget time.Duration) error {
	switch given := cmd.Flags().Changed; {
	case given("budget") && budget <= 0:
		return fmt.Errorf("--budget %v: want a duration such as 10m", budget)
	case given("budget") && given("trials"):
		return errors.New("--budget and --trials: a budget says how long to play, and how often follows from it; give one of them")
	}
	return nil
}

// prepare finds the kernels and builds what runs on them. Everything that can be
// found wrong at once is, before anything is downloaded. The programs have to be
// removed.
func (o options) prepare(ctx context.Context, args []string) ([]kernel.Image, *programs.Set, error) {
	references, err := o.references(args)
	if err != nil {
		return nil, nil, err
	}
	if err := o.check(references); err != nil {
		return nil, nil, err
	}
	images, err := o.resolve(ctx, references)
	if err != nil {
		return nil, nil, err
	}
	built, err := programs.Build(ctx, cmp.Or(o.suite, programs.Specs))
	if err != nil {
		return nil, nil, err
	}
	if err := o.checkBuilt(ctx, images, built); err != nil {
		built.Remove()
		return nil, nil, err
	}
	return images, built, nil
}

// checkBuilt finds what can be told only once the suite is there.
func (o options) checkBuilt(ctx context.Context, images []kernel.Image, built *programs.Set) error {
	if o.labelFilter != "" {
		if err := checkMatches(ctx, built, o.labelFilter); err != nil {
			return err
		}
	}
	for _, image := range images {
		if _, err := built.For(ctx, image.Arch); err != nil {
			return err
		}
	}
	return nil
}

// run is the main job. What a kernel has shown is written as soon as it is known.
func (o options) run(ctx context.Context, args []string) error {
	images, built, err := o.prepare(ctx, args)
	if err != nil {
		return err
	}
	defer built.Remove()

	records, failure := o.play(ctx, images, built)
	if !slices.ContainsFunc(records, func(r *report.Record) bool { return len(r.Scenarios) > 0 }) {
		if failure == nil {
			failure = fmt.Errorf("--label-filter %q leaves only specs of which no record is kept, and none of them failed: "+
				"have it leave a scenario as well, such as in-order", o.labelFilter)
		}
		return o.besideEarlier(failure)
	}
	return o.conclude(ctx, report.NewRun(records, o.baseline != ""), failure)
}

// besideEarlier says of a failed run, which has written nothing, that what there is to be
// read is another's.
func (o options) besideEarlier(failure error) error {
	page := filepath.Join(o.out, pageFile)
	if _, err := os.Stat(page); err != nil {
		return failure
	}
	return fmt.Errorf("%w\n%s is still that of an earlier run", failure, page)
}

// conclude writes what a run came to, prints it, and returns the verdict, unless
// something failed on the way.
func (o options) conclude(ctx context.Context, result report.Run, failure error) error {
	if err := writeRun(ctx, o.out, result); err != nil {
		return errors.Join(failure, err)
	}
	fmt.Fprintln(o.stdout)
	if err := result.WriteSummary(o.stdout); err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "The report is %s; the records and ladders are beside it\n", filepath.Join(o.out, pageFile))
	if failure != nil {
		return failure
	}
	return verdict(result)
}

// references reads the arguments, the baseline first.
func (o options) references(args []string) ([]kernel.Reference, error) {
	if len(args) == 0 {
		return nil, errors.New("no KERNEL given: `gate kernels` lists what can be booted from here")
	}
	if o.baseline != "" {
		args = append([]string{o.baseline}, args...)
	}
	references, err := parseKernels(args)
	if err != nil {
		return nil, err
	}
	candidates := references
	if o.baseline != "" {
		candidates = references[1:] // it can be its own baseline
	}
	for i, ref := range candidates {
		if slices.Contains(candidates[:i], ref) {
			return nil, fmt.Errorf("the kernel %v is named twice: name it once", ref)
		}
	}
	return references, checkFolders(references)
}

// checkFlags finds flags that mean nothing.
func (o options) checkFlags() error {
	switch {
	case vm.Clock(o.clock) != vm.Virtual && vm.Clock(o.clock) != vm.Real:
		return fmt.Errorf("--clock %q: there are %q and %q", o.clock, vm.Virtual, vm.Real)
	case o.trials < 1:
		return fmt.Errorf("--trials %d: a scenario is played at least once", o.trials)
	}
	if _, err := types.ParseLabelFilter(o.labelFilter); err != nil {
		return fmt.Errorf("--label-filter %q is no label filter of Ginkgo's: %s", o.labelFilter, withoutColours(err))
	}
	return nil
}

// withoutColours is an error without the colours that Ginkgo paints the place with at which
// it points, over several lines.
func withoutColours(err error) string {
	var painted types.GinkgoError
	if !errors.As(err, &painted) {
		return err.Error()
	}
	return formatter.New(formatter.ColorModeNone).F(painted.Message)
}

// check finds what would keep the run from doing its work.
func (o options) check(references []kernel.Reference) error {
	if err := o.checkFlags(); err != nil {
		return err
	}
	for _, ref := range references {
		var err error
		switch {
		case ref.Origin == kernel.Host:
			_, err = hostKernel()
		case !atHand(ref): // the others tell for which architecture they are when they are found
			err = vm.Available(cmp.Or(ref.Arch, kernel.Native()))
		}
		if err != nil {
			return fmt.Errorf("%v: %w", ref, err)
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// resolve finds every kernel before the first is booted, so that a mistake in
// the last argument costs no time.
func (o options) resolve(ctx context.Context, references []kernel.Reference) ([]kernel.Image, error) {
	archive := o.archive(o.stderr)
	images := make([]kernel.Image, len(references))
	for _, now := range []bool{true, false} { // what is at hand comes first
		for i, ref := range references {
			if atHand(ref) != now {
				continue
			}
			var err error
			if images[i], err = find(ctx, archive, ref); err != nil {
				return nil, err
			}
		}
		if o.baseline == "" && !o.compares {
			continue
		}
		if err := checkArchitectures(references, images); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// firstLine is what of an error fits into a table; the rest of it is printed
// once, at the end.
func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// verdict turns a run into its exit status.
func verdict(r report.Run) error { return status(r.Verdict()) }

func status(v report.Verdict) error {
	switch v {
	case report.Regression:
		return exitStatus(exitRegression)
	case report.Undecided:
		return exitStatus(exitInconclusive)
	}
	return nil
}
