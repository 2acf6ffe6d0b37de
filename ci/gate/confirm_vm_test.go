//go:build vm

package main

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/report"
)

// theCase leaves the scenario that finwait was made for, and a few that are like it.
const theCase = "overtaken-fin && server-shutdown && ipv4 && wire && !client-forged"

// On the way back the case is a regression, and one that was seen in each of a dozen
// trials on each kernel before it is called one.
func TestTheCaseIsConfirmed(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--baseline", "debian/trixie", "--label-filter", theCase, "--out", out, "debian/bullseye")
	g.Expect(status).To(Equal(exitRegression), stdout+stderr)
	g.Expect(stdout).To(ContainSubstring("again, 11 times on each kernel, to tell from chance what looks worse"))
	g.Expect(stdout).To(ContainSubstring("12 of 12 retransmitted, was 0 of 12"))
	regressed := changedTo(t, out, report.Regressed)
	g.Expect(regressed).NotTo(BeEmpty())
	for _, folder := range []string{"debian-trixie", "debian-bullseye"} {
		record, err := report.Load(filepath.Join(out, folder, "record.json"))
		g.Expect(err).NotTo(HaveOccurred())
		for _, s := range record.Scenarios {
			if !s.Race {
				kept := 0
				for _, trial := range s.Trials {
					if trial.Exchange != nil {
						kept++
					}
				}
				g.Expect(kept).To(BeNumerically("<", report.Enough), "%s: trials that went the same way keep one exchange", s.Name)
				g.Expect(s.Trials).To(Or(HaveLen(1), HaveLen(report.Enough)), s.Name)
			}
		}
	}
}

// An old kernel is no worse than itself, also where there is no time to play it again.
func TestTheCaseOnOneKernelTwice(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--baseline", "debian/bullseye", "--budget", "1s", "--label-filter", theCase, "--out", out, "debian/bullseye")
	g.Expect(status).To(Equal(exitNoRegression), stdout+stderr)
	g.Expect(stdout).To(ContainSubstring("--budget 1s is less than it takes to play each scenario once, which was done"))
	g.Expect(changedTo(t, out, report.Same)).NotTo(BeEmpty())
}
