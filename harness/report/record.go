// Package report keeps what a run of the scenarios on one kernel showed, and
// says what differs between two kernels.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/teardown"
)

// Schema is the version of the record's format.
const Schema = 1

// A Record is what became of every scenario on one kernel.
type Record struct {
	Schema int    `json:"schema"`
	Kernel Kernel `json:"kernel"`
	// Clock is the clock that the kernel ran on, "virtual" or "real".
	Clock string `json:"clock"`
	// Accelerator is what carried out a guest's instructions, "tcg" or "kvm"; empty
	// where there was no guest.
	Accelerator string `json:"accelerator,omitempty"`
	// Environment is what the kernel ran on; nil in a record that does not tell.
	Environment *Environment `json:"environment,omitempty"`
	// Incomplete says why the run ended before all scenarios had been played,
	// if it did.
	Incomplete string `json:"incomplete,omitempty"`
	// Damage is what could not be read of the file that the record is from.
	Damage []string `json:"-"`
	// Unheard says of each source in the kernel that could not be listened to
	// why not.
	Unheard   map[teardown.Source]string `json:"unheard,omitempty"`
	Scenarios []Scenario                 `json:"scenarios"`
}

// An Environment is what a run can depend on beside the kernel.
type Environment struct {
	// QEMU is its version, where there was a guest.
	QEMU string `json:"qemu,omitempty"`
	// CPU is the machine's model of processor, and Host the release of its kernel.
	CPU  string `json:"cpu,omitempty"`
	Host string `json:"host,omitempty"`
	// Go is the version that the suite was built with.
	Go string `json:"go,omitempty"`
}

// A Kernel is what was run.
type Kernel struct {
	// Release is what uname -r printed.
	Release string `json:"release"`
	// Source is the KERNEL argument, such as "debian/bullseye".
	Source string `json:"source"`
	// Version is the package's, where there is a package.
	Version string `json:"version,omitempty"`
	// Role is what the kernel was, where it was compared with itself.
	Role Role `json:"role,omitempty"`
	// Arch is the architecture that it is for, "amd64" or "arm64"; empty in a record
	// that does not tell, which is of amd64.
	Arch string `json:"arch,omitempty"`
	// Notes are what the reader of a verdict should know of where the kernel
	// came from.
	Notes []string `json:"notes,omitempty"`
}

// A Role tells a kernel from itself.
type Role string

// The roles.
const (
	Baseline  Role = "baseline"
	Candidate Role = "candidate"
)

// Name is "debian/bullseye", or "candidate debian/bullseye".
func (k Kernel) Name() string {
	if k.Role == "" {
		return k.Source
	}
	return fmt.Sprintf("%s %s", k.Role, k.Source)
}

// String is "debian/bullseye (5.10.262-1)".
func (k Kernel) String() string {
	version := cmp.Or(k.Version, k.Release)
	if version == "" {
		return k.Name()
	}
	return fmt.Sprintf("%s (%s)", k.Name(), version)
}

// A Scenario is one scenario's part of a record, or one question's about a behaviour
// of the kernel, which has observations in the place of trials.
type Scenario struct {
	Name string `json:"name"`
	// Expected is what a good kernel does; empty for a behaviour, of which none is
	// better than another.
	Expected teardown.Outcome `json:"expected,omitempty"`
	// Race is true where scheduling decides the outcome: what the trials came
	// to is counted, and never judged.
	Race bool `json:"race,omitempty"`
	// Outcome is that of the trial that is furthest from Expected; empty where
	// there is none. It is the worst and not the most frequent, because every
	// trial counts: a kernel that drops one FIN in twenty makes one connection
	// in twenty hang.
	Outcome teardown.Outcome `json:"outcome,omitempty"`
	// Skipped is the capability that the kernel lacks.
	Skipped string `json:"skipped,omitempty"`
	// Error is what kept the harness from doing its work.
	Error  string           `json:"error,omitempty"`
	Trials []teardown.Trial `json:"trials,omitempty"`
	// Observed is the answer, if all observations gave the same.
	Observed     string                  `json:"observed,omitempty"`
	Observations []behaviour.Observation `json:"observations,omitempty"`
}

// Judged is the trial to show of a scenario: the first of those that ended as the
// scenario did, and nil where there is none.
func (s Scenario) Judged() *teardown.Trial {
	for i := range s.Trials {
		if s.Trials[i].Outcome == s.Outcome {
			return &s.Trials[i]
		}
	}
	return nil
}

// An Entry is one line of the stream by which a suite reports while it runs:
// one trial or observation, or the reason why there is none.
type Entry struct {
	Name        string                 `json:"name"`
	Expected    teardown.Outcome       `json:"expected,omitempty"` // empty for a behaviour
	Race        bool                   `json:"race,omitempty"`
	Skipped     string                 `json:"skipped,omitempty"`
	Error       string                 `json:"error,omitempty"`
	Trial       *teardown.Trial        `json:"trial,omitempty"`
	Observation *behaviour.Observation `json:"observation,omitempty"`
	// Progress is how far the suite is, in an entry that has nothing else: it is no
	// part of a record.
	Progress *Progress `json:"progress,omitempty"`
}

// Progress is how many specs are done, of those that are to be run.
type Progress struct {
	Done int `json:"done"`
	Of   int `json:"of"`
}

// New returns the record of a run that has not begun.
func New(k Kernel, clock string) *Record {
	return &Record{Schema: Schema, Kernel: k, Clock: clock, Scenarios: []Scenario{}}
}

// names of scenarios are words that can stand in a path and a table as they
// are, separated by slashes.
var scenarioName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)*$`)

// checkName refuses what is no name of a scenario. Entries come out of a guest,
// and records out of files: neither is to be trusted with a path.
func checkName(name string) error {
	if !scenarioName.MatchString(name) {
		return fmt.Errorf("%q is no name of a scenario: want words of a-z and 0-9 with hyphens, separated by slashes", name)
	}
	return nil
}

func checkOutcome(o teardown.Outcome) error {
	if !slices.Contains(badness, o) {
		return fmt.Errorf("there is no outcome %q", o)
	}
	return nil
}

// liftUnheard takes what could not be listened to out of a trial, where it is the
// same for each.
func (r *Record) liftUnheard(t *teardown.Trial) {
	if t == nil || t.Exchange == nil || len(t.Exchange.Unheard) == 0 {
		return
	}
	r.Unheard = t.Exchange.Unheard
	t.Exchange.Unheard = nil
}

// Add takes an entry into the record. The scenarios stay sorted by name. An
// entry that no suite could have sent is an error, and changes nothing.
func (r *Record) Add(e Entry) error {
	i, found := slices.BinarySearchFunc(r.Scenarios, e.Name, func(s Scenario, name string) int {
		return cmp.Compare(s.Name, name)
	})
	err := e.check()
	if err == nil && found && r.Scenarios[i].asksBehaviour() != (e.Expected == "") {
		err = fmt.Errorf("%s is both a scenario and a behaviour", e.Name)
	}
	if err != nil {
		return fmt.Errorf("an entry of a record: %w", err)
	}
	r.liftUnheard(e.Trial)
	if !found {
		r.Scenarios = slices.Insert(r.Scenarios, i, Scenario{Name: e.Name, Expected: e.Expected})
	}
	s := &r.Scenarios[i]
	s.Race = s.Race || e.Race
	s.Skipped = cmp.Or(s.Skipped, e.Skipped)
	s.Error = cmp.Or(s.Error, e.Error)
	if e.Trial != nil {
		s.Trials = append(s.Trials, *e.Trial)
		s.Outcome = s.worse(s.Outcome, e.Trial.Outcome)
	}
	if e.Observation != nil {
		s.Observations = append(s.Observations, *e.Observation)
		s.Observed = agreed(s.Observations)
	}
	return nil
}

// check refuses an entry that is neither a scenario's nor a behaviour's.
func (e Entry) check() error {
	if err := checkName(e.Name); err != nil {
		return err
	}
	switch behaviour := e.Expected == ""; {
	case behaviour && e.Trial != nil, !behaviour && e.Observation != nil:
		return fmt.Errorf("%s: a scenario has trials and what is expected of them, and a behaviour has observations", e.Name)
	case behaviour && e.Observation != nil:
		return checkObservation(*e.Observation)
	case behaviour && (e.Skipped != "" || e.Error != ""):
		return nil
	}
	if err := checkOutcome(e.Expected); err != nil || e.Trial == nil {
		return err
	}
	return checkOutcome(e.Trial.Outcome)
}

// badness orders the outcomes that are not what a good kernel does: one that is
// not conclusive spoils those that are as expected, and must not hide one that
// is conclusive and is not.
var badness = []teardown.Outcome{
	teardown.Inconclusive, teardown.Clean, teardown.Retransmitted, teardown.Reset, teardown.TimedOut, teardown.Stuck,
}

// rank is how far an outcome is from what a good kernel does.
func (s Scenario) rank(o teardown.Outcome) int {
	if o == s.Expected {
		return 0
	}
	return 1 + slices.Index(badness, o)
}

func (s Scenario) worse(a, b teardown.Outcome) teardown.Outcome {
	if a == "" || s.rank(b) > s.rank(a) {
		return b
	}
	return a
}

// MarshalJSON adds the distribution of the trials, which is theirs by
// definition and is therefore not read again.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type fields Scenario
	whole := struct {
		fields
		Distribution *Distribution `json:"distribution,omitempty"`
	}{fields: fields(s)}
	if len(s.Trials) > 0 {
		d := distribute(s.Trials)
		whole.Distribution = &d
	}
	return json.Marshal(whole)
}

// Load reads a record file. A file that is no record, or one of another
// schema, is an error that says so.
func Load(path string) (*Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	r, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the record %s: %w", path, err)
	}
	return r, nil
}

func parse(text []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a record.json that gate run writes: %w", err)
	}
	switch {
	case r.Schema != Schema:
		return nil, fmt.Errorf("it has schema %d, and this program reads schema %d", r.Schema, Schema)
	case r.Kernel.Source == "" || r.Clock == "":
		return nil, errors.New("it does not say which kernel it is of, and by which clock: want a record.json that gate run writes")
	}
	known := map[string]bool{}
	for _, s := range r.Scenarios {
		if err := s.check(); err != nil {
			return nil, err
		}
		if known[s.Name] {
			return nil, fmt.Errorf("%s is in it twice", s.Name)
		}
		known[s.Name] = true
	}
	return &r, nil
}

// check refuses a scenario whose parts contradict one another.
func (s Scenario) check() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	if s.asksBehaviour() && (len(s.Observations) > 0 || s.Skipped != "" || s.Error != "") {
		return s.checkBehaviour()
	}
	if err := checkOutcome(s.Expected); err != nil {
		return fmt.Errorf("%s: expected: %w", s.Name, err)
	}
	if s.Observed != "" || len(s.Observations) > 0 {
		return fmt.Errorf("%s: a scenario that is judged has observations", s.Name)
	}
	var worst teardown.Outcome
	for _, t := range s.Trials {
		if err := checkOutcome(t.Outcome); err != nil {
			return fmt.Errorf("%s: a trial: %w", s.Name, err)
		}
		worst = s.worse(worst, t.Outcome)
	}
	if s.Outcome != worst {
		return fmt.Errorf("%s: its outcome is %q, but the worst of its trials is %q", s.Name, s.Outcome, worst)
	}
	return nil
}
