package specs

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/suite"
)

// What changed from kernel to kernel in how connections end, and is right either way:
// it is asked, recorded and compared, and never judged. All that a kernel owes is an
// answer.
var _ = Describe("How the kernel behaves", func() {
	for _, q := range behaviour.All() {
		Observation(q)
	}
})

// Observation declares a spec that puts a question to the kernel and expects the same
// answer each time. The spec's name begins with behaviour.
func Observation(q behaviour.Question) bool {
	name := "behaviour/" + q.Name
	decorators := []any{Offset(1), Label(strings.Split(name, "/")...)}
	if q.Alone {
		decorators = append(decorators, Serial)
	}
	return It(name, append(decorators, func(ctx SpecContext) {
		var before string
		for range suite.Trials() {
			observed, err := q.Ask(ctx)
			if err != nil {
				suite.Without(ctx, report.Entry{Name: name}, err)
			}
			AddReportEntry(name, q.Text+"\n"+observed.Text(), ReportEntryVisibilityFailureOrVerbose)
			suite.Record(report.Entry{Name: name, Observation: &observed})
			if !suite.Recording() {
				Expect(observed.Why).To(BeEmpty(), "%s", observed.Text())
				if before != "" {
					Expect(observed.Answer).To(Equal(before), "it is not the same each time")
				}
				before = observed.Answer
			}
		}
	})...)
}
