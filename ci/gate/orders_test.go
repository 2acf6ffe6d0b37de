package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// contentOf is a file's content.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCompareWritesAPage(t *testing.T) {
	bad, good := recordFile(t, "debian/bad", teardown.Retransmitted), recordFile(t, "debian/good", teardown.Clean)
	page := filepath.Join(filepath.Dir(bad), "gate.html")
	if status, _, stderr := gate(t, "compare", "--html", page, bad, good); status != exitNoRegression {
		t.Fatalf("it exits %d: %s", status, stderr)
	}
	text := contentOf(t, page)
	if !strings.Contains(text, "<h1>no regression</h1>") || !strings.Contains(text, `href="exchanges/overtaken-fin/x.svg"`) {
		t.Errorf("the page does not tell of the comparison, or does not lead to the ladders beside the record:\n%s", text)
	}
	maps := []string{mapFile(t, "good", "100.00%", quick), mapFile(t, "bad", "100.00%", slow)}
	if status, _, stderr := gate(t, "compare", "--html", page, maps[0], maps[1]); status != exitRegression {
		t.Fatalf("it exits %d: %s", status, stderr)
	}
	for _, want := range []string{"<h1>regression</h1>", "client close(), server close(): clean, now retransmitted", "from good (6.0) to bad (6.0)", "Of 1 orders, 1 changed"} {
		if !strings.Contains(contentOf(t, page), want) {
			t.Errorf("the page of the maps does not say %q", want)
		}
	}
}

// What can be read of a record that is cut short is compared, and never well enough.
func TestCompareGoesOnWithADamagedRecord(t *testing.T) {
	good, bad := recordFile(t, "debian/good", teardown.Clean), recordFile(t, "debian/bad", teardown.Retransmitted)
	for _, path := range []string{good, bad} {
		text, _ := strings.CutSuffix(contentOf(t, path), "  ]\n}\n")
		if err := os.WriteFile(path+".cut", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		baseline, candidate string
		want                int
	}{
		{good, good + ".cut", exitInconclusive},
		{bad + ".cut", good, exitInconclusive},
		{good, bad + ".cut", exitRegression},
	} {
		page := filepath.Join(t.TempDir(), "gate.html")
		status, stdout, stderr := gate(t, "compare", "--html", page, c.baseline, c.candidate)
		if status != c.want || !strings.Contains(stdout, "it is cut short after 1 scenario") {
			t.Errorf("it exits %d, want %d, and prints\n%s%s", status, c.want, stdout, stderr)
		}
		if !strings.Contains(contentOf(t, page), "What could not be read") {
			t.Error("the page does not name what could not be read")
		}
	}
}

// A run's page shows what gate explore found on the same kernels, and not what it found
// on others.
func TestARunShowsTheMapsOfItsKernels(t *testing.T) {
	for release, shown := range map[string]bool{"6.0": true, "6.1": false} {
		folder := t.TempDir()
		var records []*report.Record
		for source, order := range map[string]string{"good": quick, "bad": slow} {
			record := report.New(report.Kernel{Source: source, Release: release}, "virtual")
			add(t, record, "in-order/x", teardown.Clean)
			records = append(records, record)
			if err := replace(filepath.Join(folder, source, mapFileName), content(contentOf(t, mapFile(t, source, "100.00%", order)))); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeRun(t.Context(), folder, report.NewRun(records, true)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(contentOf(t, filepath.Join(folder, pageFile)), ">Every order</h2>"); got != shown {
			t.Errorf("the maps are of 6.0, the records of %s: they are shown: %v, want %v", release, got, shown)
		}
	}
}
