package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSalvage(t *testing.T) {
	whole, err := os.ReadFile("testdata/trixie.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	edit := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the record has no %s", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct {
		text  string
		kept  int
		names string
	}{
		"another schema":               {edit(`"schema":1`, `"schema":2`), 9, "it has schema 2, and this program reads schema 1"},
		"cut short":                    {text[:len(text)/2], 5, "it is cut short after 5 scenarios"},
		"cut right before its end":     {strings.TrimSuffix(text, "]}\n"), 9, "it is cut short after 9 scenarios"},
		"no JSON":                      {edit(`{"name":"overtaken-fin/server-close/ipv4"`, `{name`), 5, "it is no JSON: invalid character"},
		"no name":                      {edit("overtaken-fin/server-close/ipv4", "<script>"), 8, `scenario 6 of it: "<script>" is no name of a scenario`},
		"another outcome":              {edit(`"expected":"clean","outcome":"clean"`, `"expected":"clean","outcome":"stuck"`), 8, `its outcome is "stuck", but the worst of its trials is "clean"`},
		"an outcome that there is not": {edit(`"expected":"clean"`, `"expected":"splendid"`), 8, `there is no outcome "splendid"`},
		"a number for a word":          {edit(`"name":"overtaken-fin/server-close/ipv4"`, `"name":7`), 8, "scenario 6 of it: json: cannot unmarshal number"},
		"twice the same":               {edit("overtaken-fin/server-shutdown/ipv4/wire", "overtaken-fin/server-shutdown/ipv4"), 8, "overtaken-fin/server-shutdown/ipv4 is in it twice"},
		"no kernel":                    {edit(`"kernel"`, `"colonel"`), 9, "it does not say which kernel it is of"},
		"a kernel that is a list":      {edit(`"clock":"virtual"`, `"clock":[]`), 9, `its "clock" is not what a record says there`},
		"more than a record":           {text + "{}", 9, "there is something after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "record.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); err == nil {
				t.Error("it is taken for a good record")
			}
			r, err := Salvage(path)
			if err != nil {
				t.Fatal(err)
			}
			if damage := strings.Join(r.Damage, "\n"); len(r.Scenarios) != c.kept || !strings.Contains(damage, c.names) {
				t.Errorf("%d scenarios are kept, want %d, and what was left out is\n%s\nwant %q", len(r.Scenarios), c.kept, damage, c.names)
			}
			good := real(t).Records[1]
			for _, records := range [][]*Record{{good, r}, {r, good}, {r, r}} {
				run := NewRun(records, true)
				if run.Verdict() != Undecided {
					t.Errorf("its verdict is %s", run.Verdict())
				}
				page, markdown := write(t, run), &bytes.Buffer{}
				if err := run.WriteMarkdown(markdown); err != nil {
					t.Fatal(err)
				}
				if words := textOf(page); !strings.Contains(words, "What could not be read") || !strings.Contains(words, c.names) {
					t.Error("the page does not name what could not be read")
				}
				if !strings.Contains(markdown.String(), "could not be read") {
					t.Error("gate.md does not say that something could not be read")
				}
			}
		})
	}
}

// A regression that a damaged record shows is one all the same.
func TestADamagedRecordHidesNoRegression(t *testing.T) {
	run := real(t)
	text, err := json.Marshal(run.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	old, err := salvage(bytes.TrimSuffix(text, []byte("]}")))
	if err != nil {
		t.Fatal(err)
	}
	if v := NewRun([]*Record{run.Records[1], old}, true).Verdict(); v != Regression {
		t.Errorf("the verdict is %s", v)
	}
}

func TestWhatIsNoRecordIsNotSalvaged(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "null", `{"schema": 99}`, `{"scenarios": [{}]}`, `{"scenarios": {}}`, "\x00"} {
		if r, err := salvage([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
	if r, err := Salvage("testdata/trixie.json"); err != nil || len(r.Damage) > 0 || r.Incomplete != "" {
		t.Errorf("a good record is damaged: %q, %q (%v)", r.Damage, r.Incomplete, err)
	}
}

// Whatever a file says: what is read of it can be shown, and no verdict is made of it
// that a good record would have to carry.
func FuzzSalvage(f *testing.F) {
	good := real(f).Records[0]
	good.Scenarios = good.Scenarios[:1] // what is short is changed in more places
	whole, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/3])
	f.Add([]byte(`{"schema": 7, "clock": "<script>", "kernel": {"source": "</style><script>", "notes": ["<b>"]}, "unheard": {"\"<i": "</pre>"}, "scenarios": [
		{"name": "s", "expected": "clean", "outcome": "stuck", "trials": [{"outcome": "stuck", "why": ["<img src=x>"], "latency_ns": {"client": -1, "server": 9e18},
		"retransmissions": [{"from": "client", "delay_ns": -5, "timer": "<i>", "cause": {"by": "network"}}], "overtook": [{"from": "server", "at": "client"}],
		"exchange": {"client": {"call": "</svg><script>", "called_at_ns": -9e18}, "server": {"call": "x", "called_at_ns": 9e18, "eof_ns": 1}}}]}, {"name": "<script>"}, `))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := salvage(text)
		if err != nil {
			return
		}
		run := NewRun([]*Record{good, r}, true)
		if _, bad := parse(text); bad != nil && run.Verdict() == NoRegression {
			t.Errorf("no regression, by a record of which %q", bad)
		}
		holdSound(t, write(t, run))
	})
}
