package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/vm"
)

// The exit statuses of gate step are those that `git bisect run` understands (git-bisect(1)).
const (
	stepBad    = 1
	stepUntold = 125 // the commit is skipped
	// stepFailed ends the bisection: from 128 on it is nothing that a commit did.
	stepFailed = 128
)

// stepName is the command's name: what fails in it must not pass for a bad commit.
const stepName = "step"

// A stepper is gate step: the options that it shares with gate run, and its own.
type stepper struct {
	options
	want string
}

func stepCommand() *cobra.Command {
	s := stepper{options: options{clock: string(vm.Virtual), out: "."}} // nothing is written
	cmd := &cobra.Command{
		Use:   stepName + " SCENARIO KERNEL",
		Short: "Say whether a kernel is good, by the exit status that git bisect run wants",
		Long: `step plays a scenario, or asks a behaviour, on one kernel. The kernel is good if the
scenario ends as it should, or as --want says. In a tree of Linux

  git bisect start BAD GOOD
  git bisect run sh -c 'make -j8 bzImage modules || exit 125; gate step SCENARIO build:.'

finds the commit that broke it; git bisect start --term-old broken --term-new mended
and --want retransmitted turn it round.

Exit status: 0 good, 1 bad, 125 the kernel does not boot, lacks something, or was not
conclusive: git bisect skips it; 128 the gate could not do its work: git bisect stops.`,
		Example: `  gate step overtaken-fin/server-shutdown/ipv4 build:.
  gate step --want retransmitted overtaken-fin/server-shutdown/ipv4 build:.
  gate step --want accepted behaviour/zero-window-fin debian/6.1.170-3`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			// A program that panics exits with 2, which git takes for a bad commit.
			defer func() {
				if fault := recover(); fault != nil {
					err = fmt.Errorf("%v\n%s", fault, debug.Stack())
				}
			}()
			s.stdout, s.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return s.run(cmd.Context(), args[0], args[1])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.want, "want", "", "what a good kernel shows: the `OUTCOME` of the scenario (default: as a fixed kernel ends it) or the answer of the behaviour")
	flags.IntVar(&s.trials, "trials", 3, "play the scenario `N` times: one that is not as it should be will do")
	coldFlag(cmd, &s.cold)
	s.addArchiveFlags(cmd)
	return cmd
}

// run plays the scenario, and judges the kernel.
func (s stepper) run(ctx context.Context, scenario, arg string) error {
	if err := checkWanted(scenario, s.want); err != nil {
		return err
	}
	references, err := s.references([]string{arg})
	if err != nil {
		return err
	}
	if err := s.check(references); err != nil {
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
	shown, err := s.showOn(ctx, references, built, scenario)
	if err != nil {
		return err
	}
	return s.judge(arg, scenario, shown)
}

// showOn plays the scenario on the kernel that is named.
func (s stepper) showOn(ctx context.Context, named []kernel.Reference, p *programs.Set, scenario string) (showing, error) {
	images, err := s.resolve(ctx, named)
	if err != nil {
		if isToBlame(err) {
			return showing{why: firstLine(err.Error())}, nil
		}
		return showing{}, err
	}
	out := newScreen(s.stderr)
	defer out.close()
	return s.show(ctx, images[0], p, scenario, out)
}

// judge says how the kernel is, and returns it as an exit status.
func (s stepper) judge(name, scenario string, shown showing) error {
	want := s.want
	if want == "" {
		want = shown.expected
	}
	say := func(verdict, shows string) {
		fmt.Fprintf(s.stdout, "%s%s: %s is %s: %s\n", shown.text(), scenario, name, verdict, shows)
	}
	switch shown.outcome {
	case "":
		say("not to be told", shown.why)
		return exitStatus(stepUntold)
	case want:
		say("good", shown.outcome)
		return nil
	}
	say("bad", fmt.Sprintf("%s, where %s is wanted", shown.outcome, want))
	return exitStatus(stepBad)
}

// outcomes are those that a kernel can be wanted to show.
var outcomes = []teardown.Outcome{
	teardown.Clean, teardown.Retransmitted, teardown.Reset, teardown.TimedOut, teardown.Stuck,
}

// checkWanted refuses to want what a scenario cannot show.
func checkWanted(scenario, want string) error {
	name, asks := strings.CutPrefix(scenario, "behaviour/")
	if !asks {
		if want != "" && !slices.Contains(outcomes, teardown.Outcome(want)) {
			return fmt.Errorf("--want %q: a scenario ends in one of %q", want, outcomes)
		}
		return nil
	}
	question, known := questionOf(name)
	switch {
	case !known:
		return fmt.Errorf("there is no question %q: `gate behaviours` lists them", name)
	case !question.HasAnswer(want):
		return fmt.Errorf("--want %q: of a behaviour none is better than another: say which is good, of %s", want, listed(question))
	}
	return nil
}
