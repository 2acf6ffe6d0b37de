package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// An explorer is gate explore: the options that it shares with gate run, and its own.
type explorer struct {
	options
	bounds explore.Bounds
	data   int // octets that the client says right before it closes
}

func exploreCommand() *cobra.Command {
	e := explorer{options: options{clock: string(vm.Virtual), trials: 1, compares: true}}
	cmd := &cobra.Command{
		Use:   "explore [KERNEL...]",
		Short: "Play teardowns in every order on kernels, and compare how they end with the first kernel's",
		Example: `  gate explore debian/bullseye debian/trixie
  gate explore --drops 1 debian/trixie
  gate explore host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			e.stdout, e.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return e.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&e.bounds.Drops, "drops", 0, "let up to `K` segments of an order be lost")
	flags.IntVar(&e.bounds.Duplicates, "duplicates", 0, "let up to `K` segments of an order arrive again")
	flags.IntVar(&e.data, "data", 0, "have the client send `N` octets, which are on their way when both close")
	flags.BoolVar(&e.bounds.All, "all", false, "play equivalent orders too, instead of one for all of them, and hold them against each other")
	flags.StringVar(&e.out, "out", "finwait-out", "the `DIR` for the maps")
	coldFlag(cmd, &e.cold)
	e.addArchiveFlags(cmd)
	return cmd
}

// run explores the kernels, and compares each with the first. What a kernel has shown
// is written and printed also where its exploration ended early.
func (e explorer) run(ctx context.Context, args []string) error {
	if e.bounds.Drops < 0 || e.bounds.Duplicates < 0 {
		return fmt.Errorf("--drops %d, --duplicates %d: neither can be negative", e.bounds.Drops, e.bounds.Duplicates)
	}
	if e.data < 0 {
		return fmt.Errorf("--data %d: want a number of octets", e.data)
	}
	images, built, err := e.prepare(ctx, args)
	if err != nil {
		return err
	}
	defer built.Remove()

	maps := make([]*explore.Map, len(images))
	failure := e.onEach(ctx, images, func(i int, out *screen, indent string) (err error) {
		maps[i], err = e.exploreOn(ctx, images[i], built, out, indent)
		return err
	})
	maps = slices.DeleteFunc(maps, func(m *explore.Map) bool { return m == nil })
	for _, m := range maps {
		fmt.Fprintln(e.stdout)
		summarise(e.stdout, m)
	}
	if failure != nil {
		return failure
	}
	fmt.Fprintf(e.stdout, "\nThe maps are in %s\n", e.out)
	if len(maps) > 1 {
		page := filepath.Join(e.out, "explore.html")
		if err := writeOrders(page, maps); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "What is different between them is in %s\n", page)
	}
	var verdicts []error
	for _, candidate := range maps[1:] {
		fmt.Fprintln(e.stdout)
		verdicts = append(verdicts, compareMaps(e.stdout, maps[0], candidate))
	}
	if len(maps) == 1 {
		return unlessComplete(maps[0])
	}
	return worst(verdicts)
}

// writeOrders writes what is different between the first map and the others as a page.
func writeOrders(page string, maps []*explore.Map) error {
	var all []report.Orders
	for _, candidate := range maps[1:] {
		orders, err := ordersOf(maps[0], candidate)
		if err != nil {
			return err
		}
		all = append(all, orders)
	}
	return replace(page, func(w io.Writer) error { return report.WriteOrdersHTML(w, all) })
}

// exploreOn explores on one kernel and writes its map. There is none where nothing was
// found.
func (e explorer) exploreOn(ctx context.Context, image kernel.Image, p *programs.Set, out *screen, indent string) (*explore.Map, error) {
	var entries []explore.Entry
	_, err := e.runOn(ctx, image, p, job{e.args, func(line []byte) error {
		var entry explore.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a survey: %w", err)
		}
		entries = append(entries, entry)
		if entry.Sum != nil {
			fmt.Fprintf(out, "%s%v: %v\n", indent, entry.Pair, entry.Sum)
		}
		return nil
	}, out.notices(indent)})
	if len(entries) == 0 {
		if err == nil {
			err = fmt.Errorf("%s: the suite explored nothing", image.Source)
		}
		return nil, err
	}
	m := &explore.Map{Release: image.Release, Source: image.Source, Arch: string(image.Arch), Drops: e.bounds.Drops, Duplicates: e.bounds.Duplicates}
	if bad := m.Take(entries); bad != nil {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", image.Source, bad))
	}
	path := filepath.Join(e.out, folderFor(image.Source), mapFileName)
	return m, errors.Join(err, replace(path, m.Write))
}

// args are the suite's arguments for an exploration whose entries go to a file.
func (e explorer) args(record string) []string {
	return []string{
		"--test.run=TestSpecs", "--explore",
		"--drops=" + strconv.Itoa(e.bounds.Drops),
		"--duplicates=" + strconv.Itoa(e.bounds.Duplicates),
		"--data=" + strconv.Itoa(e.data),
		"--all=" + strconv.FormatBool(e.bounds.All),
		"--record=" + record,
	}
}

// summarise prints how many orders there are, how they end, and the shortest of those
// that do not end clean.
func summarise(w io.Writer, m *explore.Map) {
	fmt.Fprintf(w, "%s (%s), with up to %d drops and %d duplicates:\n", m.Source, m.Release, m.Drops, m.Duplicates)
	for _, x := range m.Explored {
		fmt.Fprintf(w, "  %v\n", m.Summary(x))
	}
	for _, g := range m.Groups() {
		fmt.Fprintf(w, "\n%s %s: %d orders, in %d of %d pairs; the shortest, %v:\n%s",
			g.Outcome, g.Name(), g.Orders, len(g.Pairs), len(m.Explored), g.Shortest.Pair, g.Shortest.Ladder())
	}
	for _, l := range m.Lines {
		if l.Outcome == explore.Nondeterministic || len(l.Broken) > 0 {
			fmt.Fprintf(w, "\n%v:\n%s", l.Pair, l.Ladder())
		}
	}
}

// compareMaps prints what is different, and returns the verdict as an exit status.
func compareMaps(w io.Writer, baseline, candidate *explore.Map) error {
	c, err := explore.CompareMaps(baseline, candidate)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s against %s: %d orders changed, %d appeared, %d vanished\n",
		candidate.Source, baseline.Source, len(c.Changed), len(c.Appeared), len(c.Vanished))
	for _, d := range slices.Concat(c.Changed, c.Appeared, c.Vanished) {
		fmt.Fprintf(w, "\n%s", d.Ladder(baseline.Source, candidate.Source))
	}
	for _, why := range c.Unknown {
		fmt.Fprintf(w, "not known: %s\n", why)
	}
	verdict := verdictOf(c)
	fmt.Fprintln(w, verdict)
	return status(verdict)
}

// unlessComplete is the verdict on a map that is compared with none.
func unlessComplete(m *explore.Map) error {
	if !m.Complete() || slices.ContainsFunc(m.Lines, func(l explore.Line) bool { return l.Outcome == explore.Nondeterministic }) {
		return exitStatus(exitInconclusive)
	}
	return nil
}

// worst is the verdict on several comparisons: a failure, then a regression, then what
// is inconclusive.
func worst(verdicts []error) error {
	var status exitStatus
	var found error
	for _, v := range verdicts {
		switch {
		case v == nil:
		case !errors.As(v, &status):
			return v
		case found == nil || status == exitRegression:
			found = v
		}
	}
	return found
}
