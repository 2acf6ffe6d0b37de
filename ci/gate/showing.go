package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// A showing is what a kernel shows of one scenario, or of one behaviour.
type showing struct {
	// outcome is how the scenario ends, or the answer; empty where that is not known,
	// and why says what kept it from being known.
	outcome, why string
	// expected is how the scenario should end; empty for a behaviour.
	expected string
	// record is all that was recorded.
	record *report.Record
}

// text is the ladder of the trial by which the scenario was judged, or what was exchanged.
func (s showing) text() string {
	if s.record == nil {
		return ""
	}
	for _, of := range s.record.Scenarios {
		if trial := of.Judged(); trial != nil {
			return ladder.Text(*trial)
		}
		for _, o := range of.Observations {
			if o.Answer == of.Observed {
				return o.Text()
			}
		}
	}
	return ""
}

// checkName refuses a name that no scenario has, before anything is booted.
func checkName(ctx context.Context, p *programs.Set, name string) error {
	found, err := hasSpecs(ctx, p, "--ginkgo.focus="+round{names: []string{name}}.focus())
	if err == nil && !found {
		err = fmt.Errorf("there is no scenario %q: want the name of one as a record has it, such as overtaken-fin/server-shutdown/ipv4 or behaviour/zero-window-fin", name)
	}
	return err
}

// checkMatches refuses a label filter that matches nothing.
func checkMatches(ctx context.Context, p *programs.Set, filter string) error {
	found, err := hasSpecs(ctx, p, "--ginkgo.label-filter="+filter)
	if err == nil && !found {
		err = fmt.Errorf("nothing matches --label-filter %q: each part of a scenario's name is a label", filter)
	}
	return err
}

// hasSpecs reports whether a suite has specs that are chosen so.
func hasSpecs(ctx context.Context, p *programs.Set, chosen string) (bool, error) {
	output, err := exec.CommandContext(ctx, p.Suite, "--ginkgo.dry-run", "--ginkgo.fail-on-empty", "--ginkgo.no-color", chosen).CombinedOutput()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.As(err, &failed) && strings.Contains(string(output), "no specs ran"):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("list the scenarios: %w\n%s", err, output)
	}
	return true, nil
}

// show plays one scenario on a kernel. What the kernel is to blame for, if only that it
// does not boot, is a showing; an error is the machine's fault, or the caller's.
func (o options) show(ctx context.Context, image kernel.Image, p *programs.Set, name string, out *screen) (showing, error) {
	shown := showing{record: report.New(recorded(image), string(o.clockOf(image)))}
	shown.record.Environment = environment(image)
	far := out.begin(image.Source)
	defer out.end(far)
	args := func(file string) []string {
		return o.suiteArgs(image, round{names: []string{name}, trials: o.trials}, file)
	}
	guest, err := o.runOn(ctx, image, p, job{args, func(line []byte) error {
		var entry report.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
		}
		if entry.Progress != nil {
			out.reach(far, *entry.Progress)
			return nil
		}
		return shown.record.Add(entry)
	}, out.notices("")})
	shown.record.Accelerator = string(guest.Accelerator)
	switch {
	case ctx.Err() != nil:
		return showing{}, cmp.Or(err, context.Cause(ctx))
	case err != nil && !isToBlame(err) && guest.Status == 0:
		return showing{}, err
	case err != nil:
		shown.record.Incomplete = firstLine(err.Error())
	}
	return shown, shown.read(name)
}

// isToBlame reports whether it is the kernel's fault that a guest did not do its work.
func isToBlame(err error) bool {
	var (
		failed *vm.Error
		module *kernel.MissingModuleError
		lack   *kernel.LackError
		lacks  *kernel.MissingCapability
	)
	if errors.As(err, &failed) {
		return slices.Contains([]vm.Reason{
			vm.NotAKernel, vm.NeverBooted, vm.SetupFailed, vm.ModuleFailed, vm.Panicked, vm.Ended, vm.Hung,
		}, failed.Reason)
	}
	return errors.As(err, &module) || errors.As(err, &lack) || errors.As(err, &lacks)
}

// read takes what there is of the scenario out of the record, which has no other.
func (s *showing) read(name string) error {
	var of report.Scenario
	i := slices.IndexFunc(s.record.Scenarios, func(s report.Scenario) bool { return s.Name == name })
	switch {
	case i >= 0:
		of = s.record.Scenarios[i]
	case s.record.Incomplete == "":
		return fmt.Errorf("%v: the suite played nothing called %s", s.record.Kernel, name)
	}
	s.expected = string(of.Expected)
	switch {
	case of.Race:
		return fmt.Errorf("%s is a race: how it ends is a matter of scheduling, and not of the kernel", name)
	case s.record.Incomplete != "":
		s.why = cmp.Or(of.Error, s.record.Incomplete)
	default:
		s.outcome, s.why = of.Shows()
	}
	return nil
}
