package report

import (
	"os"
	"path/filepath"
	"testing"
)

// real is a run of two real kernels, with a few of its scenarios.
func real(t testing.TB) Run {
	t.Helper()
	var records []*Record
	for _, name := range []string{"bullseye", "trixie"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		record, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return NewRun(records, true)
}
