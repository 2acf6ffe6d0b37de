//go:build vm

package main

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/report"
)

// TestBehaviours holds what experiments show against what the source says of two pinned
// kernels, the oldest and the newest that another test boots. `make behaviours` asks all
// that are pinned.
func TestBehaviours(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	kernels := []string{"debian/5.10.262-1", "debian/6.12.118-1"}
	status, stdout, stderr := gate(t, append([]string{"behaviours", "--trials", "3", "--out", out}, kernels...)...)
	g.Expect(status).To(Equal(exitNoRegression), "%s%s", stdout, stderr)

	expected, err := loadExpectations("")
	g.Expect(err).NotTo(HaveOccurred())
	var records []*report.Record
	var want []map[string]string
	for _, name := range kernels {
		record, err := report.Load(filepath.Join(out, strings.ReplaceAll(name, "/", "-"), "record.json"))
		g.Expect(err).NotTo(HaveOccurred())
		records = append(records, record)
		answers, found := expected.of(record.Kernel)
		g.Expect(found).To(BeTrue(), "nothing is expected of %s", name)
		want = append(want, answers)
	}
	comparison := report.Compare(records[0], records[1])
	g.Expect(comparison.Verdict).To(Equal(report.NoRegression))
	for _, row := range comparison.Rows {
		change := report.Same
		if name := strings.TrimPrefix(row.Name, "behaviour/"); want[0][name] != want[1][name] {
			change = report.Differs
		}
		g.Expect(row.Change).To(Equal(change), row.Name)
	}
}
