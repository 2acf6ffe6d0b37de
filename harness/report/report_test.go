package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/teardown"
)

// record makes a record whose scenarios have one trial an outcome.
func record(source string, scenarios map[string][]teardown.Outcome) *Record {
	r := &Record{Schema: Schema, Clock: "virtual", Kernel: Kernel{Source: source, Release: "1.2.3"}}
	for name, outcomes := range scenarios {
		for _, o := range outcomes {
			trial := &teardown.Trial{Outcome: o, Latency: map[teardown.Side]time.Duration{
				teardown.Client: time.Millisecond, teardown.Server: 2 * time.Millisecond,
			}}
			if o == teardown.Inconclusive {
				trial.Why = []string{"the order asked for was not seen"}
			}
			if o == teardown.Retransmitted {
				trial.Retransmissions = []teardown.Retransmission{{Timer: teardown.TLP}}
			}
			r.Add(Entry{Name: name, Expected: teardown.Clean, Trial: trial})
		}
		if len(outcomes) == 0 {
			r.Add(Entry{Name: name, Expected: teardown.Clean, Skipped: "the running kernel lacks sch_netem"})
		}
	}
	return r
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
		{"worse in one trial of three", outcomes{clean}, outcomes{clean, retransmitted, clean}, Regressed, Regression},
		{"worse, and once inconclusive", outcomes{clean}, outcomes{inconclusive, retransmitted}, Regressed, Regression},
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
	one.Incomplete = "the kernel panicked"
	if c := Compare(one, one); c.Verdict != Undecided {
		t.Errorf("half a record is compared as if it were whole: %+v", c)
	}
}

func TestVerdictOfARun(t *testing.T) {
	good := record("debian/a", map[string][]teardown.Outcome{"s": {clean}})
	bad := record("debian/b", map[string][]teardown.Outcome{"s": {retransmitted}})
	open := record("debian/c", map[string][]teardown.Outcome{"s": {inconclusive}})
	skipped := record("debian/d", map[string][]teardown.Outcome{"s": {}})
	for _, c := range []struct {
		name string
		run  Run
		want Verdict
	}{
		{"regression before inconclusive", Run{Comparisons: []Comparison{Compare(good, open), Compare(good, bad)}}, Regression},
		{"inconclusive before none", Run{Comparisons: []Comparison{Compare(good, good), Compare(good, open)}}, Undecided},
		{"nothing to regress from", Run{Records: []*Record{bad}}, NoRegression},
		{"inconclusive without a baseline", Run{Records: []*Record{open}}, Undecided},
		{"skipped without a baseline", Run{Records: []*Record{skipped}}, NoRegression},
	} {
		if got := c.run.Verdict(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTableAndMarkdown(t *testing.T) {
	old := record("debian/<script>", map[string][]teardown.Outcome{"s|x": {retransmitted}, "t": {clean}, "u": {}})
	new := record("debian/new", map[string][]teardown.Outcome{"s|x": {clean}, "t": {retransmitted}, "u": {}})
	run := Run{Records: []*Record{old, new}, Comparisons: []Comparison{Compare(old, new)}}
	var table, markdown bytes.Buffer
	if err := run.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"retransmitted (tlp) 2.0 ms", "clean 2.0 ms, improved", "retransmitted (tlp) 2.0 ms, regressed",
		"u: skipped because the running kernel lacks sch_netem",
		"regression from debian/<script> (1.2.3) to debian/new (1.2.3): 1 regressed (t); 1 improved (s|x)",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := run.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if text := markdown.String(); strings.Contains(text, "<script>") || !strings.Contains(text, `s\|x`) {
		t.Errorf("what a record says is taken for markup:\n%s", text)
	}
	if text := markdown.String(); !strings.Contains(text, "## t regressed") || strings.Contains(text, "## u") {
		t.Errorf("the ladders are not those of what changed:\n%s", text)
	}
}

func TestJUnitTellsTheOutcomesApart(t *testing.T) {
	r := record("debian/new", map[string][]teardown.Outcome{
		"good": {clean}, "bad": {retransmitted}, "open": {inconclusive}, "lacking": {},
	})
	r.Add(Entry{Name: "broken", Error: "no descriptors left"})
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
	if read.Tests != 5 || read.Failures != 1 || read.Errors != 2 || read.Suites[0].Skipped != 1 {
		t.Errorf("it counts %+v", read)
	}
	for _, c := range read.Suites[0].Cases {
		if (c.Failure != nil) != (c.Name == "bad") || (c.Skipped != nil) != (c.Name == "lacking") ||
			(c.Error != nil) != (c.Name == "open" || c.Name == "broken") {
			t.Errorf("%+v", c)
		}
	}
}

func TestAddKeepsScenariosSorted(t *testing.T) {
	r := &Record{}
	for _, name := range []string{"b", "c", "a", "b"} {
		r.Add(Entry{Name: name, Trial: &teardown.Trial{Outcome: clean}})
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
	for want, content := range map[string]string{
		"it is not the JSON of a record": "{",
		"it has schema 99":               `{"schema": 99}`,
		"has the outcome \"splendid\"":   `{"schema": 1, "scenarios": [{"name": "s", "outcome": "splendid"}]}`,
		"has no name":                    `{"schema": 1, "scenarios": [{}]}`,
		"a recorded segment":             `{"schema": 1, "scenarios": [{"name": "s", "trials": [{"exchange": {"client": {"sightings": [{"frame": "AAAA"}]}}}]}]}`,
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

// Whatever a record says, showing it must not break.
func FuzzParse(f *testing.F) {
	whole, err := json.Marshal(record("debian/old", map[string][]teardown.Outcome{"s": {clean}, "t": {retransmitted}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"schema": 1, "scenarios": [{"name": "s", "trials": [{"outcome": "clean"}, {"retransmissions": [{}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		run := Run{Records: []*Record{r, r}, Comparisons: []Comparison{Compare(r, r)}}
		var out bytes.Buffer
		if err := run.WriteMarkdown(&out); err != nil {
			t.Error(err)
		}
		if strings.Contains(strings.ToLower(out.String()), "<script") && !strings.Contains(out.String(), "```") {
			t.Errorf("markup of a record reached the page:\n%s", &out)
		}
	})
}
