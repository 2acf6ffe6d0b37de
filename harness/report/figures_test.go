package report

import (
	"bytes"
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

// Every report has the figures that a verdict rests on.
func TestReportsHaveTheFigures(t *testing.T) {
	g := NewWithT(t)
	old := record("debian/old", map[string][]teardown.Outcome{"s": some(0, retransmitted, 12)})
	new := record("debian/new", map[string][]teardown.Outcome{"s": some(12, retransmitted, 12)})
	run := NewRun([]*Record{old, new}, true)
	const counts = "12 of 12 retransmitted, was 0 of 12"
	var table, markdown, page, junit bytes.Buffer
	g.Expect(run.WriteTable(&table)).To(Succeed())
	g.Expect(table.String()).To(ContainSubstring("debian/new (1.2.3): s: regressed: " + counts))
	g.Expect(run.WriteMarkdown(&markdown)).To(Succeed())
	g.Expect(markdown.String()).To(ContainSubstring("(" + counts + ")"))
	g.Expect(run.WriteHTML(&page, Beside{})).To(Succeed())
	g.Expect(page.String()).To(ContainSubstring("<small>" + counts + " (76 to 100 %, was 0 to 24 %)</small>"))
	g.Expect(page.String()).To(ContainSubstring("2.0/2.0/2.0/2.0 ms, the median in [2.0, 2.0]"))
	g.Expect(new.WriteJUnit(&junit)).To(Succeed())
	g.Expect(junit.String()).To(ContainSubstring("12 of 12 trials retransmitted (76 to 100 %)"))
	g.Expect(junit.String()).To(ContainSubstring("the server closed after 2.0 ms [2.0, 2.0], the median of 12"))
	text, err := json.Marshal(run.Gate())
	g.Expect(err).NotTo(HaveOccurred())
	var read struct {
		Comparisons []struct {
			Rows []struct {
				From      string  `json:"from"`
				P         float64 `json:"p"`
				Baseline  Share   `json:"baseline_share"`
				Candidate Share   `json:"candidate_share"`
			} `json:"scenarios"`
		} `json:"comparisons"`
	}
	g.Expect(json.Unmarshal(text, &read)).To(Succeed())
	row := read.Comparisons[0].Rows[0]
	g.Expect(row.From).To(Equal("retransmitted"))
	g.Expect(row.P).To(BeNumerically("~", 1/2704156.0, 1e-12))
	g.Expect(row.Baseline).To(Equal(shareOf(0, 12)))
	g.Expect(row.Candidate).To(Equal(shareOf(12, 12)))
}
