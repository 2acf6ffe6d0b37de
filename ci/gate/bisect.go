package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/bisect"
	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
	"github.com/finwait/finwait/harness/vm"
)

// A bisection is gate bisect: the options that it shares with gate run, and its own.
type bisection struct {
	options
	good, bad string
}

func bisectCommand() *cobra.Command {
	b := bisection{options: options{clock: string(vm.Virtual), compares: true}}
	cmd := &cobra.Command{
		Use:   "bisect --good KERNEL --bad KERNEL SCENARIO",
		Short: "Find the first of Debian's kernels that ends a scenario in another way",
		Long: `bisect plays a scenario, or asks a behaviour, on the kernels of Debian's archive between
a good one and a bad one, half of what is left each time, and names two next to each
other of which one is good and the other bad. The good one may be the newer: then the
change is the one that mends it.

Both are debian/SUITE or debian/VERSION. A kernel that is like neither, or does not
boot, is gone round.

Exit status: 0 found, 1 the gate could not do its work, 3 found but for kernels in
between that could not be told.`,
		Example: `  gate bisect --good debian/trixie --bad debian/bullseye overtaken-fin/server-shutdown/ipv4
  gate bisect --good debian/6.1.192-2 --bad debian/6.1.170-3 behaviour/reset-in-handshake`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.stdout, b.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return b.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.good, "good", "", "a `KERNEL` that ends the scenario as it should end, or gives the answer that is looked for")
	flags.StringVar(&b.bad, "bad", "", "a `KERNEL` that does not")
	flags.IntVar(&b.trials, "trials", 3, "play the scenario `N` times on each")
	flags.StringVar(&b.out, "out", filepath.Join("finwait-out", "bisect"), "the `DIR` for bisect.json, records and ladders")
	coldFlag(cmd, &b.cold)
	b.addArchiveFlags(cmd)
	_ = cmd.MarkFlagRequired("good") // there are such flags
	_ = cmd.MarkFlagRequired("bad")
	return cmd
}

// run bisects.
func (b bisection) run(ctx context.Context, scenario string) error {
	references, err := parseKernels([]string{b.good, b.bad})
	if err != nil {
		return err
	}
	if references[0] == references[1] {
		return fmt.Errorf("both --good and --bad are %v: there is nothing between them", references[0])
	}
	for _, ref := range references {
		if ref.Origin != kernel.DebianSuite && ref.Origin != kernel.DebianVersion {
			return fmt.Errorf("%v is not in a row with others: want debian/SUITE or debian/VERSION", ref)
		}
	}
	if err := b.check(references); err != nil {
		return err
	}
	built, err := programs.Build(ctx, programs.Specs)
	if err != nil {
		return err
	}
	defer built.Remove()
	if err := checkName(ctx, built, scenario); err != nil {
		return err
	}
	s, err := b.search(ctx, references)
	if err != nil {
		return err
	}
	s.Show = func(ctx context.Context, image kernel.Image) (bisect.Shown, error) {
		return b.showAndKeep(ctx, image, built, scenario)
	}
	found, err := s.Run(ctx)
	if err != nil {
		return err
	}
	found.Scenario = scenario
	if err := replace(filepath.Join(b.out, "bisect.json"), jsonOf(found)); err != nil {
		return err
	}
	found.Write(b.stdout)
	if len(found.Untold) > 0 {
		return exitStatus(exitInconclusive)
	}
	return nil
}

// search prepares the search between two kernels, in the row of all that the archive
// has.
func (b bisection) search(ctx context.Context, references []kernel.Reference) (*bisect.Search, error) {
	ends, err := b.resolve(ctx, references)
	if err != nil {
		return nil, err
	}
	if ends[0].Version == ends[1].Version {
		return nil, fmt.Errorf("both --good and --bad are kernel %s: there is nothing between them", ends[0].Version)
	}
	archive := b.archive(b.stderr)
	versions, notes, err := archive.Between(ctx, ends[0].Arch, ends[0].Version, ends[1].Version)
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		fmt.Fprintln(b.stderr, note)
	}
	return &bisect.Search{
		Good: ends[0], Bad: ends[1], Versions: versions, Out: b.stdout,
		Resolve: func(ctx context.Context, version string) (kernel.Image, string, error) {
			image, err := find(ctx, archive, kernel.Reference{Origin: kernel.DebianVersion, Name: version, Arch: ends[0].Arch})
			if why := whyNotHad(err); why != "" {
				return kernel.Image{}, why, nil
			}
			return image, "", err
		},
	}, nil
}

// whyNotHad is what keeps a kernel from being had, in a line; empty where the error says
// nothing of the kernel, as when a mirror is down.
func whyNotHad(err error) string {
	switch {
	case errors.Is(err, debian.ErrGone):
		return debian.ErrGone.Error()
	case isToBlame(err):
		return "it cannot be had: " + strings.TrimSuffix(firstLine(err.Error()), ":")
	}
	return ""
}

// showAndKeep is show, and writes down what was recorded.
func (b bisection) showAndKeep(ctx context.Context, image kernel.Image, p *programs.Set, scenario string) (bisect.Shown, error) {
	out := newScreen(b.stderr)
	showing, err := b.show(ctx, image, p, scenario, out)
	out.close()
	shown := bisect.Shown{Outcome: showing.outcome, Why: showing.why, Expected: showing.expected}
	if err != nil || len(showing.record.Scenarios) == 0 {
		return shown, err
	}
	shown.Ladder = filepath.Join(b.out, folderOf(showing.record), exchangesFolder, filepath.FromSlash(scenario)+".txt")
	return shown, writeRecord(ctx, b.out, showing.record)
}
