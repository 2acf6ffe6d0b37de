package main

import (
	"bytes"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
)

// answering is the record of a kernel that gives the first answer to every question but
// those named.
func answering(t *testing.T, version string, others map[string]report.Entry) *report.Record {
	t.Helper()
	r := report.New(report.Kernel{Source: "debian/x", Version: version}, "virtual")
	for _, q := range behaviour.All() {
		entry, other := others[q.Name]
		if !other {
			entry.Observation = &behaviour.Observation{Answer: q.Answers[0].Words}
		}
		entry.Name = "behaviour/" + q.Name
		if err := r.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// firstOfAll expects the first answer to every question.
func firstOfAll() map[string]string {
	all := map[string]string{}
	for _, q := range behaviour.All() {
		all[q.Name] = q.Answers[0].Words
	}
	return all
}

func TestAnswersAreHeldAgainstWhatIsExpected(t *testing.T) {
	t.Parallel()
	all := firstOfAll()
	few := map[string]string{"close-after-repeated-data": "FIN"}
	other := report.Entry{Observation: &behaviour.Observation{Answer: "absent", Exchange: []string{"server: looked"}}}
	doubtful := report.Entry{Observation: &behaviour.Observation{Why: "the counter moved by 2"}}
	lacking := report.Entry{Skipped: "the running kernel lacks IPv6: no"}
	broken := report.Entry{Error: "no veth"}
	for name, c := range map[string]struct {
		version string
		want    map[string]string
		others  map[string]report.Entry
		status  int
		says    []string
	}{
		"as expected": {"1-1", all, nil, exitNoRegression, []string{
			`(?m)^old-ack-while-closing +795a7dfbc3d9 +yes +accepted$`, `(?m)^second-challenge-ack +nothing$`,
			`\ndebian/x \(1-1\): 25 of 25 as file.yaml expects\n$`,
		}},
		"of another kernel": {"1-2", all, nil, exitNoRegression, []string{`\ndebian/x \(1-2\): file.yaml has no expectation of it\n$`}},
		"of no package":     {"", all, nil, exitNoRegression, []string{`\ndebian/x: file.yaml has no expectation of it\n$`}},
		"another answer": {"1-1", all, map[string]report.Entry{"rto-min": other}, exitRegression, []string{
			`f086edef71be +no +absent \(!\)\n`, `\ndebian/x \(1-1\): rto-min: absent, where file.yaml expects obeyed:\n  server: looked\n`, ` 24 of 25 as`,
		}},
		"another answer, and no other expectation": {"1-1", map[string]string{"rto-min": "obeyed"}, map[string]report.Entry{"rto-min": other, "rto-max": doubtful}, exitRegression, nil},
		"another answer, of another kernel":        {"1-2", all, map[string]report.Entry{"rto-min": other}, exitNoRegression, nil},
		"no answer": {"1-1", all, map[string]report.Entry{"rto-min": doubtful}, exitInconclusive, []string{
			`f086edef71be +inconclusive\n`, `\ndebian/x \(1-1\): rto-min: the counter moved by 2\n`, ` 24 of 25 as`,
		}},
		"no answer where none is expected": {"1-1", few, map[string]report.Entry{"rto-min": doubtful}, exitInconclusive, nil},
		"broken":                           {"1-1", few, map[string]report.Entry{"rto-min": broken}, exitInconclusive, []string{`rto-min: no veth\n`}},
		"cannot be asked": {"1-1", few, map[string]report.Entry{"syn-failing-paws/ipv6": lacking}, exitNoRegression, []string{
			`c449d5f3a3d7 +cannot be asked\n`, `syn-failing-paws/ipv6: it cannot be asked: the running kernel lacks IPv6: no\n`, ` 1 of 25 as`,
		}},
		"cannot be asked what is expected": {"1-1", all, map[string]report.Entry{"syn-failing-paws/ipv6": lacking}, exitInconclusive, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			e := expectations{source: "file.yaml", answers: map[kernel.Reference]map[string]string{debianKernel("1-1", ""): c.want}}
			kernels := []findings{e.hold(answering(t, c.version, c.others))}
			var out bytes.Buffer
			g.Expect(writeFindings(&out, kernels, e.source)).To(Succeed())
			for _, line := range c.says {
				g.Expect(out.String()).To(MatchRegexp(line))
			}
			err := verdictOn(kernels)
			if c.status == exitNoRegression {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(Equal(exitStatus(c.status)))
			}
		})
	}
}

func TestAQuestionThatWasNotAskedIsNotAnswered(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	record := report.New(report.Kernel{Source: "debian/x", Version: "1-1"}, "virtual")
	record.Incomplete = "the guest hangs"
	held := expectations{answers: map[kernel.Reference]map[string]string{debianKernel("1-1", ""): firstOfAll()}}.hold(record)
	g.Expect(held.of).To(HaveLen(len(behaviour.All())))
	g.Expect(held.of[0].why).To(Equal("it was not asked: the guest hangs"))
	g.Expect(verdictOn([]findings{held})).To(Equal(exitStatus(exitInconclusive)))
}

func TestOnlyThePackageItselfIsHeldAgainstWhatIsExpectedOfIt(t *testing.T) {
	t.Parallel()
	e, err := readExpectations([]byte("debian/1-1: {rto-min: obeyed}\ndebian/1-1:arm64: {rto-min: absent}\n"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, c := range map[string]struct {
		kernel report.Kernel
		want   string
	}{
		"of a record that tells no architecture": {report.Kernel{Source: "debian/x", Version: "1-1"}, "obeyed"},
		"for amd64":                              {report.Kernel{Source: "debian/x", Version: "1-1", Arch: "amd64"}, "obeyed"},
		"for arm64":                              {report.Kernel{Source: "debian/x:arm64", Version: "1-1", Arch: "arm64"}, "absent"},
		"a file that has the name":               {report.Kernel{Source: "deb:x.deb", Version: "1-1", Arch: "amd64"}, ""},
		"another version":                        {report.Kernel{Source: "debian/x", Version: "1-2", Arch: "amd64"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			held := expectations{answers: e}.hold(report.New(c.kernel, "virtual"))
			g.Expect(held.expected).To(Equal(c.want != ""))
			for _, f := range held.of {
				if f.Name == "rto-min" {
					g.Expect(f.want).To(Equal(c.want))
				}
			}
		})
	}
}

func TestQuestionsAreListed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	status, stdout, _ := gate(t, "behaviours")
	g.Expect(status).To(Equal(exitNoRegression))
	for _, q := range behaviour.All() {
		g.Expect(stdout).To(ContainSubstring(q.Name + "\n  " + q.Text))
	}
	g.Expect(stdout).To(ContainSubstring(`  795a7dfbc3d9 "net: tcp: accept old ack during closing"` + "\n    accepted "))
}
