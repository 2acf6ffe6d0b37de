package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/behaviour"
)

// observed is a record of one behaviour; an empty answer was not conclusive.
func observed(source string, answers ...string) *Record {
	r := New(Kernel{Source: source}, "virtual")
	for _, answer := range answers {
		o := &behaviour.Observation{Answer: answer, Exchange: []string{"> S 0:0(0)", "server: close()"}}
		if answer == "" {
			o.Why = "a counter says otherwise"
		}
		mustAdd(r, Entry{Name: "behaviour/b", Observation: o})
	}
	if len(answers) == 0 {
		mustAdd(r, Entry{Name: "behaviour/b", Skipped: "the running kernel lacks it"})
	}
	return r
}

type answers = []string

func TestCompareBehaviours(t *testing.T) {
	for _, c := range []struct {
		name                string
		baseline, candidate answers
		change              Change
		verdict             Verdict
	}{
		{"the same", answers{"FIN"}, answers{"FIN"}, Same, NoRegression},
		{"another", answers{"FIN"}, answers{"RST"}, Differs, NoRegression},
		{"the same, several times", answers{"FIN", "FIN"}, answers{"FIN"}, Same, NoRegression},
		{"now this, now that", answers{"FIN"}, answers{"FIN", "RST", "FIN"}, Unknown, Undecided},
		{"now this, now nothing", answers{"FIN", ""}, answers{"FIN"}, Unknown, Undecided},
		{"not conclusive", answers{""}, answers{"FIN"}, Unknown, Undecided},
		{"skipped on one", answers{}, answers{"FIN"}, Unknown, Undecided},
		{"skipped on both", answers{}, answers{}, NotPlayed, Undecided},
	} {
		got := Compare(observed("debian/old", c.baseline...), observed("debian/new", c.candidate...))
		if len(got.Rows) != 1 || got.Rows[0].Change != c.change || got.Verdict != c.verdict {
			t.Errorf("%s: got %+v, want %s and %s", c.name, got, c.change, c.verdict)
		}
	}
}

func TestBehavioursAreShownWithBothAnswers(t *testing.T) {
	run := NewRun([]*Record{observed("debian/old", "FIN"), observed("debian/new", "RST"), observed("debian/odd", "FIN", "", "RST")}, true)
	var table, markdown bytes.Buffer
	if err := run.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FIN          RST, differs   FIN 1, RST 1, inconclusive 1",
		"debian/odd: behaviour/b: inconclusive because a counter says otherwise",
		"no regression from debian/old to debian/new: 1 not the same, and neither wrong (behaviour/b)",
		"inconclusive from debian/old to debian/odd",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := run.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## behaviour/b differs",
		"debian/old: FIN\n\n```\n> S 0:0(0)\nserver: close()\n```",
		"debian/new: RST\n",
	} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, &markdown)
		}
	}
}

func TestSummaryOfAnObservation(t *testing.T) {
	for want, o := range map[string]behaviour.Observation{
		"behaviour/b: challenge ACK": {Answer: "challenge ACK"},
		"behaviour/b: inconclusive":  {Why: "a counter says otherwise"},
	} {
		if got := (Entry{Name: "behaviour/b", Observation: &o}).Summary(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestJUnitPassesWhatWasObserved(t *testing.T) {
	for want, r := range map[string]*Record{
		"<system-out>FIN": observed("debian/new", "FIN"),
		`<error message="the observations differ: FIN 1, RST 1" type="inconclusive">`: observed("debian/new", "FIN", "RST"),
		`<error message="a counter says otherwise"`:                                   observed("debian/new", ""),
	} {
		var out bytes.Buffer
		if err := r.WriteJUnit(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "<failure") {
			t.Errorf("want %s, got\n%s", want, &out)
		}
	}
}

// What a guest or a file says was observed has to be what an experiment can observe.
func TestBadObservationsAreRefused(t *testing.T) {
	const head = `{"schema": 1, "clock": "virtual", "kernel": {"source": "debian/x"}, "scenarios": [{"name": "behaviour/b", `
	lines := strings.Repeat(`"x",`, 300) + `"x"`
	for want, content := range map[string]string{
		"is no answer":                      `"observed": "<b>", "observations": [{"answer": "<b>"}]`,
		`"a\nb" is no answer`:               `"observed": "a\nb", "observations": [{"answer": "a\nb"}]`,
		`xxxx" is no answer`:                `"observations": [{"answer": "` + strings.Repeat("x", 61) + `"}]`,
		"has an answer, or says why not":    `"observations": [{"answer": "FIN", "why": "and yet"}]`,
		"its observations come to \"FIN\"":  `"observed": "RST", "observations": [{"answer": "FIN"}]`,
		"its observations come to \"\"":     `"observed": "FIN", "observations": [{"answer": "FIN"}, {"answer": "RST"}]`,
		`is no line of an exchange`:         `"observed": "FIN", "observations": [{"answer": "FIN", "exchange": ["\u001b[2J"]}]`,
		"\"```\" is no line of an exchange": `"observed": "FIN", "observations": [{"answer": "FIN", "exchange": ["` + "```" + `"]}]`,
		"an observation of 301 lines":       `"observed": "FIN", "observations": [{"answer": "FIN", "exchange": [` + lines + `]}]`,
		"does not say what is expected of":  `"outcome": "clean", "observations": [{"answer": "FIN"}], "trials": [{"outcome": "clean"}]`,
		"a scenario that is judged has":     `"expected": "clean", "observed": "FIN"`,
		`expected: there is no outcome ""`:  `"observed": "FIN"`,
		"cannot unmarshal number":           `"observed": 1`,
	} {
		if _, err := parse([]byte(head + content + "}]}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", content, err, want)
		}
	}
	good := observed("debian/old", "FIN", "", "RST, and more")
	whole, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := parse(whole); err != nil || len(read.Scenarios[0].Observations) != 3 {
		t.Errorf("a good record: %+v, %v", read, err)
	}
}

func TestAddTellsScenariosFromBehaviours(t *testing.T) {
	r := observed("debian/new", "FIN")
	for _, e := range []Entry{
		{Name: "behaviour/b", Expected: clean, Skipped: "a scenario of that name"},
		{Name: "behaviour/c"},
		{Name: "behaviour/c", Observation: &behaviour.Observation{}},
		{Name: "behaviour/c", Observation: &behaviour.Observation{Answer: "`"}},
		{Name: "behaviour/c", Expected: clean, Observation: &behaviour.Observation{Answer: "FIN"}},
	} {
		if err := r.Add(e); err == nil || len(r.Scenarios) != 1 {
			t.Errorf("%+v was taken (%v)", e, err)
		}
	}
}

func TestEachAnswerKeepsOneExchange(t *testing.T) {
	var evidence Evidence
	for i, c := range []struct {
		observation behaviour.Observation
		keeps       bool
	}{
		{behaviour.Observation{Answer: "FIN", Exchange: []string{"a"}}, true},
		{behaviour.Observation{Answer: "FIN", Exchange: []string{"b"}}, false},
		{behaviour.Observation{Answer: "RST", Exchange: []string{"a"}}, true},
		{behaviour.Observation{Why: "so", Exchange: []string{"a"}}, true},
	} {
		got, err := evidence.Thin(Entry{Name: "behaviour/b", Observation: &c.observation})
		if err != nil {
			t.Fatal(err)
		}
		if keeps := got.Observation.Exchange != nil; keeps != c.keeps || got.Observation.Answer != c.observation.Answer {
			t.Errorf("entry %d: %+v, want it to keep its exchange: %v", i, got.Observation, c.keeps)
		}
		if c.observation.Exchange == nil {
			t.Errorf("entry %d: the observation it was given has lost its exchange", i)
		}
	}
}

func TestEveryAnswerCanBeRecorded(t *testing.T) {
	r := New(Kernel{}, "virtual")
	for _, q := range behaviour.All() {
		for _, a := range q.Answers {
			if err := r.Add(Entry{Name: "behaviour/" + q.Name, Observation: &behaviour.Observation{Answer: a.Words}}); err != nil {
				t.Error(err)
			}
		}
	}
}
