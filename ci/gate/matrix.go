package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// A matrix says what several machines are to play between them. Its keys are called as
// the flags of gate run are.
type matrix struct {
	Baseline    string   `yaml:"baseline"`
	Kernels     []string `yaml:"kernels"`
	LabelFilter string   `yaml:"label-filter"`
	Clock       string   `yaml:"clock"`
	Trials      int      `yaml:"trials"`
}

// A matrixJob is gate matrix: what is done with a matrix.
type matrixJob struct {
	options
	shard  string
	joined bool
	listed bool
}

func matrixCommand() *cobra.Command {
	var j matrixJob
	cmd := &cobra.Command{
		Use:   "matrix FILE",
		Short: "Play a matrix of kernels on several machines, and join what they have recorded",
		Long: `A matrix FILE is YAML, or JSON, and names what is to be played; its keys are called as the
flags of gate run are:

  baseline: debian/bullseye
  kernels: [debian/bookworm, debian/trixie]
  label-filter: overtaken-fin
  clock: virtual
  trials: 3

Only kernels has to be there. --shard plays the part of one machine, and says nothing about
what was found; --join, once all have played, plays nothing and compares the records that they
have left in the --out folder. With neither, this machine does both, as gate run does. --list is
for a workflow that starts a job for each kernel.`,
		Example: `  gate matrix ci/kubernetes/matrix.yaml --shard 0/3 --out records
  gate matrix ci/kubernetes/matrix.yaml --join --out records`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			j.stdout, j.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return j.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&j.shard, "shard", "", "play part `I/N` only: the kernels I, I+N, I+2N ..., the baseline being number 0")
	flags.BoolVar(&j.joined, "join", false, "play nothing, and compare the records that the parts have left")
	flags.BoolVar(&j.listed, "list", false, "play nothing, and print JSON: each kernel, and the part that is this kernel alone")
	flags.StringVar(&j.out, "out", "finwait-out", "the `DIR` for records and reports")
	coldFlag(cmd, &j.cold)
	j.addArchiveFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("shard", "join", "list")
	return cmd
}

func (j matrixJob) run(ctx context.Context, file string) error {
	m, err := readMatrix(file)
	if err != nil {
		return err
	}
	j.labelFilter, j.clock, j.trials = m.LabelFilter, m.Clock, m.Trials
	switch {
	case j.shard != "":
		part, err := m.part(j.shard)
		if err != nil {
			return err
		}
		return j.playPart(ctx, part)
	case j.joined:
		return j.join(ctx, m)
	case j.listed:
		return json.NewEncoder(j.stdout).Encode(m.cells())
	}
	j.baseline = m.Baseline
	return j.options.run(ctx, m.Kernels)
}

// readMatrix reads a matrix file and checks all of it, so that what is wrong with it is
// found by the first machine and not by the last.
func readMatrix(path string) (matrix, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return matrix{}, fmt.Errorf("read a matrix: %w", err)
	}
	m, err := parseMatrix(text)
	if err != nil {
		return matrix{}, fmt.Errorf("read the matrix %s: %w", path, err)
	}
	return m, nil
}

func parseMatrix(text []byte) (matrix, error) {
	m := matrix{Clock: string(vm.Virtual), Trials: 1}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	documents.KnownFields(true)
	if err := documents.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return matrix{}, fmt.Errorf("%w: want the keys baseline, kernels, label-filter, clock and trials", onOneLine(err))
	}
	if err := documents.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return matrix{}, errors.New("there is a second document in it: want one")
	}
	if len(m.Kernels) == 0 {
		return matrix{}, errors.New("it names no kernel: want kernels: [debian/trixie, ...]")
	}
	o := options{baseline: m.Baseline, clock: m.Clock, trials: m.Trials, labelFilter: m.LabelFilter}
	references, err := o.references(m.Kernels)
	if err != nil {
		return matrix{}, err
	}
	if m.Baseline != "" && slices.Contains(references[1:], references[0]) {
		return matrix{}, fmt.Errorf("the kernel %v is named twice: each kernel of a matrix has one record", references[0])
	}
	m.rename(references)
	return m, o.checkFlags()
}

// rename calls the kernels as records do: debian/trixie, on amd64, for debian/trixie:amd64.
func (m *matrix) rename(references []kernel.Reference) {
	if m.Baseline != "" {
		m.Baseline, references = references[0].String(), references[1:]
	}
	for i, ref := range references {
		m.Kernels[i] = ref.String()
	}
}

// onOneLine is the first of what the reader found wrong, without the name of our type.
func onOneLine(err error) error {
	text := firstLine(err.Error())
	var several *yaml.TypeError
	if errors.As(err, &several) {
		text = several.Errors[0]
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "yaml: "), " in type main.")
	return errors.New(text)
}

// all are the kernels of the matrix, the baseline first.
func (m matrix) all() []string {
	if m.Baseline == "" {
		return m.Kernels
	}
	return append([]string{m.Baseline}, m.Kernels...)
}

// part returns the kernels of shard I/N, dealt out one by one, so that parts differ by
// one kernel at most.
func (m matrix) part(shard string) ([]string, error) {
	before, after, _ := strings.Cut(shard, "/")
	i, bad := strconv.Atoi(before)
	n, worse := strconv.Atoi(after)
	if bad != nil || worse != nil || i < 0 || i >= n {
		return nil, fmt.Errorf("--shard %q: want I/N, with I from 0 to N-1", shard)
	}
	all := m.all()
	if i >= len(all) {
		return nil, fmt.Errorf("--shard %s: the matrix has %d kernels, so nothing is left for this part: want at most %d parts", shard, len(all), len(all))
	}
	var part []string
	for ; i < len(all); i += n {
		part = append(part, all[i])
	}
	return part, nil
}

// A cell is a kernel of a matrix, and the part that is this kernel alone.
type cell struct {
	Kernel string `json:"kernel"`
	Shard  string `json:"shard"`
}

func (m matrix) cells() (cells []cell) {
	all := m.all()
	for i, source := range all {
		cells = append(cells, cell{source, fmt.Sprintf("%d/%d", i, len(all))})
	}
	return cells
}

// playPart plays some of the kernels and leaves their records. Whether they regressed is
// not for a part to say.
func (j matrixJob) playPart(ctx context.Context, kernels []string) error {
	for _, source := range kernels {
		// A record of an earlier run must not stand in for one that this run never writes.
		if err := os.RemoveAll(filepath.Dir(recordOf(j.out, source))); err != nil {
			return fmt.Errorf("--out: clear what an earlier run has left: %w", err)
		}
	}
	images, built, err := j.prepare(ctx, kernels)
	if err != nil {
		return err
	}
	defer built.Remove()
	records, err := j.play(ctx, images, built)
	for _, record := range records {
		if err == nil && len(record.Scenarios) == 0 {
			err = fmt.Errorf("%s: the label filter of the matrix leaves no scenario", record.Kernel.Source)
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.stdout, "The records are in %s; once all parts have been played, --join compares them\n", j.out)
	return err
}

// join compares the records of all parts. A kernel that has none stands in the report as
// one of which nothing is known, and the gate has failed.
func (j matrixJob) join(ctx context.Context, m matrix) error {
	var (
		records []*report.Record
		found   []*report.Record
		lost    []string
	)
	for _, source := range m.all() {
		path := recordOf(j.out, source)
		record, err := report.Salvage(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lost = append(lost, source)
			record = report.New(report.Kernel{Source: source}, m.Clock)
			record.Incomplete = "its part of the matrix was not played to its end"
		case err != nil:
			return err
		default:
			if err := m.check(record, source); err != nil {
				return fmt.Errorf("%s: %w: play it again", path, err)
			}
			found = append(found, record)
		}
		records = append(records, record)
	}
	if m.Baseline != "" {
		if err := report.OneArchitecture(found); err != nil {
			return err
		}
	}
	var failure error
	if len(lost) > 0 {
		failure = fmt.Errorf("%s has no record of %s: that part of the matrix was not played to its end: play it again",
			j.out, strings.Join(lost, ", "))
	}
	if len(lost) == len(records) {
		return failure
	}
	return j.conclude(ctx, report.NewRun(records, m.Baseline != ""), failure)
}

// check refuses a record of something else than what the matrix wants.
func (m matrix) check(record *report.Record, source string) error {
	clock := m.Clock
	if source == hostSource {
		clock = string(vm.Real)
	}
	switch {
	case record.Kernel.Source != source:
		return fmt.Errorf("it is of %s, not of %s", record.Kernel.Source, source)
	case record.Clock != clock:
		return fmt.Errorf("it was played on the %s clock, and the matrix wants the %s one", record.Clock, clock)
	}
	return nil
}

// recordOf is the file for the record of a kernel.
func recordOf(folder, source string) string {
	return filepath.Join(folder, folderFor(source), recordFileName)
}
