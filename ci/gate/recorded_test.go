package main

import (
	"testing"

	"github.com/finwait/finwait/harness/report"
)

func TestNamesAreOffered(t *testing.T) {
	t.Parallel()
	var record report.Record
	for _, name := range []string{"overtaken-fin/a", "overtaken-fin/b", "overtaken-fin/c", "overtaken-fin/d", "overtaken-fin/e", "try/overtaken-fin", "try/undisturbed"} {
		record.Scenarios = append(record.Scenarios, report.Scenario{Name: name})
	}
	for text, want := range map[string]string{
		"undisturbed":   ": it has try/undisturbed",
		"undist":        ": it has try/undisturbed",
		"overtaken-fin": ": it has try/overtaken-fin, overtaken-fin/a, overtaken-fin/b, overtaken-fin/c, overtaken-fin/d and 1 more with that in their names",
		"lost-fin":      "",
	} {
		if got := namesWith(&record, text); got != want {
			t.Errorf("of %s it says %q, want %q", text, got, want)
		}
	}
}
