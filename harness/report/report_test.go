package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// record makes a record whose scenarios have one trial an outcome.
func record(source string, scenarios map[string][]teardown.Outcome) *Record {
	r := New(Kernel{Source: source, Release: "1.2.3"}, "virtual")
	for name, outcomes := range scenarios {
		for _, o := range outcomes {
			trial := &teardown.Trial{Outcome: o, Latency: map[segment.Side]time.Duration{
				segment.Client: time.Millisecond, segment.Server: 2 * time.Millisecond,
			}}
			if o == teardown.Inconclusive {
				trial.Why = []string{"the order asked for was not seen"}
			}
			if o == teardown.Retransmitted {
				trial.Retransmissions = []teardown.Retransmission{{Timer: teardown.TLP}}
			}
			mustAdd(r, Entry{Name: name, Expected: teardown.Clean, Trial: trial})
		}
		if len(outcomes) == 0 {
			mustAdd(r, Entry{Name: name, Expected: teardown.Clean, Skipped: "the running kernel lacks sch_netem"})
		}
	}
	return r
}

func mustAdd(r *Record, e Entry) {
	if err := r.Add(e); err != nil {
		panic(err)
	}
}

const (
	clean         = teardown.Clean
	retransmitted = teardown.Retransmitted
	stuck         = teardown.Stuck
	inconclusive  = teardown.Inconclusive
)

type outcomes = []teardown.Outcome

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name                string
		baseline, candidate outcomes
		change              Change
		verdict             Verdict
	}{
		{"same good", outcomes{clean}, outcomes{clean}, Same, NoRegression},
		{"same bad", outcomes{retransmitted}, outcomes{retransmitted}, Same, NoRegression},
		{"better", outcomes{retransmitted}, outcomes{clean}, Improved, NoRegression},
		{"less bad", outcomes{stuck}, outcomes{retransmitted}, Improved, NoRegression},
		{"worse", outcomes{clean}, outcomes{retransmitted}, Regressed, Regression},
		{"even worse", outcomes{retransmitted}, outcomes{stuck}, Regressed, Regression},
		{"worse in one trial of three", outcomes{clean}, outcomes{clean, retransmitted, clean}, Unknown, Undecided},
		{"worse, and once inconclusive", outcomes{clean}, outcomes{inconclusive, retransmitted}, Regressed, Regression},
		{"worse in the first trial of three", outcomes{clean}, outcomes{retransmitted, clean, clean}, Unknown, Undecided},
		{"better, and once inconclusive", outcomes{retransmitted}, outcomes{clean, inconclusive}, Unknown, Undecided},
		{"as bad, and once inconclusive", outcomes{retransmitted}, outcomes{retransmitted, inconclusive}, Unknown, Undecided},
		{"better in some trials only", outcomes{retransmitted, retransmitted}, outcomes{clean, retransmitted}, Same, NoRegression},
		{"clean, and once inconclusive", outcomes{clean}, outcomes{clean, inconclusive}, Unknown, Undecided},
		{"inconclusive baseline", outcomes{inconclusive}, outcomes{clean}, Unknown, Undecided},
		{"skipped on the candidate", outcomes{clean}, outcomes{}, Unknown, Undecided},
		{"skipped on both", outcomes{}, outcomes{}, NotPlayed, Undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(
				record("debian/old", map[string][]teardown.Outcome{"s": c.baseline}),
				record("debian/new", map[string][]teardown.Outcome{"s": c.candidate}),
			)
			if len(got.Rows) != 1 || got.Rows[0].Change != c.change || got.Verdict != c.verdict {
				t.Errorf("got %+v, want %s and %s", got, c.change, c.verdict)
			}
			if undecided := c.change == Unknown || c.change == NotPlayed; undecided != (got.Rows[0].Why != "") {
				t.Errorf("the reason given is %q", got.Rows[0].Why)
			}
		})
	}
}

func TestAScenarioMissingOnOneSideIsUndecided(t *testing.T) {
	both := record("debian/old", map[string][]teardown.Outcome{"a": {clean}, "b": {clean}})
	one := record("debian/new", map[string][]teardown.Outcome{"a": {clean}})
	for _, c := range []Comparison{Compare(both, one), Compare(one, both)} {
		if c.Verdict != Undecided || len(c.With(Unknown)) != 1 {
			t.Errorf("got %+v", c)
		}
	}
	whole := record("debian/old", map[string][]teardown.Outcome{"a": {clean}})
	one.Incomplete = "the kernel panicked"
	for _, c := range []Comparison{Compare(whole, one), Compare(one, whole)} {
		if c.Verdict != Undecided {
			t.Errorf("half a record is compared as if it were whole: %+v", c)
		}
	}
	failed := record("debian/new", map[string][]teardown.Outcome{"a": {clean}})
	mustAdd(failed, Entry{Name: "a", Expected: clean, Error: "no descriptors left"})
	if c := Compare(whole, failed); c.Verdict != Undecided || c.Rows[0].Why != "candidate: no descriptors left" {
		t.Errorf("a scenario that failed in part passes: %+v", c)
	}
}

// What a good kernel does need not be clean: it may have to send a RST.
func TestExpectedOutcomeIsTheBest(t *testing.T) {
	with := func(o teardown.Outcome) *Record {
		r := New(Kernel{Source: "debian/x"}, "virtual")
		mustAdd(r, Entry{Name: "s", Expected: teardown.Reset, Trial: &teardown.Trial{Outcome: o}})
		return r
	}
	if c := Compare(with(teardown.Reset), with(clean)); c.Verdict != Regression {
		t.Errorf("a RST that no longer comes: %+v", c)
	}
	if c := Compare(with(stuck), with(teardown.Reset)); len(c.With(Improved)) != 1 {
		t.Errorf("a RST that comes now: %+v", c)
	}
}

// What is furthest from the expected outcome is not always the worst of all.
func TestEveryTrialIsHeldAgainstWhatIsExpected(t *testing.T) {
	for _, c := range []struct {
		expected teardown.Outcome
		trials   outcomes
		want     teardown.Outcome
	}{
		{clean, outcomes{clean, clean}, clean},
		{clean, outcomes{retransmitted, clean, inconclusive}, retransmitted},
		{clean, outcomes{inconclusive, clean}, inconclusive},
		{retransmitted, outcomes{retransmitted, inconclusive, retransmitted}, inconclusive},
		{retransmitted, outcomes{clean, retransmitted}, clean},
		{teardown.Reset, outcomes{teardown.Reset, clean}, clean},
		{teardown.Reset, outcomes{stuck, clean, teardown.Reset}, stuck},
	} {
		r := New(Kernel{}, "virtual")
		for _, o := range c.trials {
			mustAdd(r, Entry{Name: "s", Expected: c.expected, Trial: &teardown.Trial{Outcome: o}})
		}
		if got := r.Scenarios[0].Outcome; got != c.want {
			t.Errorf("%s is expected and the trials are %s: the outcome is %s, want %s", c.expected, c.trials, got, c.want)
		}
	}
}

func TestVerdictOfARun(t *testing.T) {
	good := record("debian/a", map[string][]teardown.Outcome{"s": {clean}})
	bad := record("debian/b", map[string][]teardown.Outcome{"s": {retransmitted}})
	open := record("debian/c", map[string][]teardown.Outcome{"s": {inconclusive}})
	skipped := record("debian/d", map[string][]teardown.Outcome{"s": {}})
	some := record("debian/d", map[string][]teardown.Outcome{"s": {}, "t": {clean}})
	broken := record("debian/e", map[string][]teardown.Outcome{"s": {clean}})
	broken.Incomplete = "the kernel panicked"
	for _, c := range []struct {
		name string
		run  Run
		want Verdict
	}{
		{"regression before inconclusive", NewRun([]*Record{good, open, bad}, true), Regression},
		{"inconclusive before none", NewRun([]*Record{good, good, open}, true), Undecided},
		{"nothing to regress from", NewRun([]*Record{bad}, false), NoRegression},
		{"inconclusive without a baseline", NewRun([]*Record{open}, false), Undecided},
		{"incomplete without a baseline", NewRun([]*Record{broken}, false), Undecided},
		{"all skipped without a baseline", NewRun([]*Record{skipped}, false), Undecided},
		{"one skipped without a baseline", NewRun([]*Record{some}, false), NoRegression},
	} {
		if got := c.run.Verdict(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTableAndMarkdown(t *testing.T) {
	often := func(o teardown.Outcome, more ...teardown.Outcome) outcomes {
		return append(slices.Repeat(outcomes{o}, 11), more...)
	}
	old := record("debian/<script>", map[string][]teardown.Outcome{"s": {retransmitted}, "t": often(clean), "u": {}})
	new := record("debian/new", map[string][]teardown.Outcome{"s": {clean}, "t": often(retransmitted, clean), "u": {}})
	new.Kernel.Notes = []string{"the index | had expired"}
	new.Incomplete = "the kernel panicked"
	run := NewRun([]*Record{old, new}, true)
	var table, markdown bytes.Buffer
	if err := run.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"s          retransmitted (tlp) 2.0 ms", "clean 2.0 ms, improved",
		"t          clean 11 2.0/2.0/2.0/2.0 ms", "clean 1, retransmitted 11 (tlp) 2.0/2.0/2.0/2.0 ms, regressed",
		"debian/new (1.2.3): t: regressed: 11 of 12 retransmitted, was 0 of 11",
		"several trials: how many ended in which way, and the minimum/median/90th percentile/maximum latency of the end",
		"u: skipped because the running kernel lacks sch_netem",
		"debian/new (1.2.3): the index | had expired",
		"debian/new (1.2.3): the run is incomplete: the kernel panicked",
		"regression from debian/<script> (1.2.3) to debian/new (1.2.3): 1 regressed (t); 1 improved (s); 1 skipped on both",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := run.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	text := markdown.String()
	if strings.Contains(text, "<script>") || !strings.Contains(text, `the index \| had expired`) {
		t.Errorf("what a record says is taken for markup:\n%s", text)
	}
	_, changed, found := strings.Cut(text, "## t regressed")
	if !found || strings.Contains(text, "## u") {
		t.Fatalf("the ladders are not those of what changed:\n%s", text)
	}
	if good, bad := strings.Index(changed, "clean;"), strings.Index(changed, "retransmitted;"); good < 0 || bad < good {
		t.Errorf("the ladders are not those that made the difference:\n%s", changed)
	}
}

// Two records of one kernel are told apart by their place.
func TestTheBaselineHasNotChanged(t *testing.T) {
	run := NewRun([]*Record{
		record("debian/x", map[string][]teardown.Outcome{"s": {clean}}),
		record("debian/x", map[string][]teardown.Outcome{"s": {retransmitted}}),
	}, true)
	if row := run.grid()[1]; strings.Contains(row[1], "regressed") || !strings.Contains(row[2], "regressed") {
		t.Errorf("got %q", row)
	}
}

func TestClocksThatDifferAreSaid(t *testing.T) {
	virtual, real := record("debian/x", map[string][]teardown.Outcome{"s": {clean}}), record("host", map[string][]teardown.Outcome{"s": {clean}})
	real.Clock = "real"
	if remarks := NewRun([]*Record{virtual, real}, true).remarks(); len(remarks) != 1 || !strings.Contains(remarks[0], "do not compare their latencies") {
		t.Errorf("got %q", remarks)
	}
}

func TestJUnitTellsTheOutcomesApart(t *testing.T) {
	r := record("debian/new", map[string][]teardown.Outcome{
		"good": {clean}, "bad": {retransmitted}, "open": {inconclusive}, "lacking": {},
	})
	mustAdd(r, Entry{Name: "broken", Expected: clean, Error: "no descriptors left"})
	r.Incomplete = "the kernel panicked"
	var out bytes.Buffer
	if err := r.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Skipped int `xml:"skipped,attr"`
			Cases   []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Tests != 6 || read.Failures != 1 || read.Errors != 3 || read.Suites[0].Skipped != 1 {
		t.Errorf("it counts %+v", read)
	}
	for _, c := range read.Suites[0].Cases {
		if (c.Failure != nil) != (c.Name == "bad") || (c.Skipped != nil) != (c.Name == "lacking") ||
			(c.Error != nil) != (c.Name == "open" || c.Name == "broken" || c.Name == "the whole run") {
			t.Errorf("%+v", c)
		}
	}
}

func TestAddKeepsScenariosSorted(t *testing.T) {
	r := &Record{}
	for _, name := range []string{"b", "c", "a", "b"} {
		mustAdd(r, Entry{Name: name, Expected: clean, Trial: &teardown.Trial{Outcome: clean}})
	}
	var got []string
	for _, s := range r.Scenarios {
		got = append(got, s.Name)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) || len(r.Scenarios[1].Trials) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.json")
	const head = `{"schema": 1, "clock": "virtual", "kernel": {"source": "debian/x"}, "scenarios": [`
	for want, content := range map[string]string{
		"it is not the JSON of a record":   "{",
		"after top-level value":            head + "]}{}",
		"it has schema 99":                 `{"schema": 99}`,
		"which kernel it is of":            `{"schema": 1}`,
		`there is no outcome "splendid"`:   head + `{"name": "s", "expected": "splendid"}]}`,
		`expected: there is no outcome ""`: head + `{"name": "s"}]}`,
		`"" is no name of a scenario`:      head + `{}]}`,
		`"../x" is no name of a scenario`:  head + `{"name": "../x"}]}`,
		"the worst of its trials is":       head + `{"name": "s", "expected": "clean", "outcome": "clean", "trials": [{"outcome": "stuck"}]}]}`,
		"a recorded segment":               head + `{"name": "s", "trials": [{"exchange": {"client": {"sightings": [{"frame": "AAAA"}]}}}]}]}`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want it to say %q", content, err, want)
		}
	}
	whole, err := json.Marshal(record("debian/old", map[string][]teardown.Outcome{"s": {clean}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Load(path); err != nil || r.Scenarios[0].Outcome != clean {
		t.Errorf("a good record: %+v, %v", r, err)
	}
	if _, err := Load(path + ".missing"); err == nil {
		t.Error("a file that there is not was read")
	}
}

func TestAddRefusesWhatNoSuiteSends(t *testing.T) {
	r := New(Kernel{}, "virtual")
	good := Entry{Name: "a/b-c/ipv4", Expected: clean, Trial: &teardown.Trial{Outcome: stuck}}
	for _, bend := range []func(*Entry){
		func(e *Entry) { e.Name = "../../etc/passwd" },
		func(e *Entry) { e.Name = "/a" },
		func(e *Entry) { e.Name = "a//b" },
		func(e *Entry) { e.Expected = "" },
		func(e *Entry) { e.Trial = &teardown.Trial{} },
	} {
		e := good
		bend(&e)
		if err := r.Add(e); err == nil || len(r.Scenarios) != 0 {
			t.Errorf("%+v was taken (%v)", e, err)
		}
	}
	if err := r.Add(good); err != nil {
		t.Error(err)
	}
}

// unfolded is a text without the tags of what is folded in it.
func unfolded(markdown string) string {
	return strings.NewReplacer("<details><summary>", "", "</summary>", "", "</details>", "").Replace(markdown)
}

// Whatever a record says, showing it must not break.
func FuzzParse(f *testing.F) {
	whole, err := json.Marshal(record("debian/old", map[string][]teardown.Outcome{"s": {clean}, "t": {retransmitted}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"schema": 1, "clock": "<script>", "kernel": {"source": "<script>", "notes": ["<b>"]}, "scenarios": [
		{"name": "s", "expected": "clean", "outcome": "stuck", "trials": [{"outcome": "clean"}, {"outcome": "stuck", "retransmissions": [{}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		run := NewRun([]*Record{r, r}, true)
		var out bytes.Buffer
		if err := errors.Join(run.WriteMarkdown(&out), run.WriteTable(io.Discard), r.WriteJUnit(io.Discard)); err != nil {
			t.Error(err)
		}
		if strings.Contains(unfolded(out.String()), "<") {
			t.Errorf("markup of a record reached the page:\n%s", &out)
		}
	})
}

// What the kernel does not tell is the same in each trial, and said once.
func TestWhatCouldNotBeListenedToIsSaidOnce(t *testing.T) {
	record := New(Kernel{Source: "debian/bullseye"}, "virtual")
	for _, name := range []string{"a", "b"} {
		trial := teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{
			Unheard: map[teardown.Source]string{teardown.KfreeSKB: "it has no reasons"},
		}}
		if err := record.Add(Entry{Name: name, Expected: teardown.Clean, Trial: &trial}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "it has no reasons"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	var table strings.Builder
	if err := NewRun([]*Record{record}, false).WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "not listened to: kfree_skb: it has no reasons") {
		t.Errorf("the table does not say it:\n%s", &table)
	}
}
