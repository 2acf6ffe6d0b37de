package suite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// Judge records a trial of what the entry is of; or, where nothing is recorded, expects it
// to end as the entry says, and to satisfy what else is asked of it. Of a race nothing is
// expected.
func Judge(entry report.Entry, trial teardown.Trial, also ...types.GomegaMatcher) {
	ginkgo.GinkgoHelper()
	maps.Copy(unheard, trial.Exchange.Unheard)
	ginkgo.AddReportEntry(entry.Name, ladder.Text(trial), ginkgo.ReportEntryVisibilityFailureOrVerbose)
	if trial.Outcome == entry.Expected && !entry.Race {
		trial.Unmet = unmet(trial, also)
	}
	entry.Trial = &trial
	Record(entry)
	if !Recording() && !entry.Race {
		gomega.Expect(trial).To(gomega.And(slices.Concat(also, []types.GomegaMatcher{matchers.EndAs(entry.Expected)})...))
	}
}

// unmet is what of a trial's expectations it does not meet, each in the words of its
// matcher.
func unmet(trial teardown.Trial, expected []types.GomegaMatcher) (wishes []string) {
	for _, m := range expected {
		if met, err := m.Match(trial); err == nil && !met {
			wish, _, _ := strings.Cut(m.FailureMessage(trial), ", but this happened:")
			wishes = append(wishes, strings.TrimPrefix(wish, "Expected the teardown "))
		}
	}
	return wishes
}

// Without ends a spec that has no trial or observation for its entry: a capability that
// the kernel was asked for and lacks skips it, anything else fails it. An interrupted run
// says nothing of the spec, and records nothing.
func Without(ctx context.Context, entry report.Entry, err error) {
	ginkgo.GinkgoHelper()
	var missing *kernel.MissingCapability
	switch {
	case errors.As(err, &missing) && *requireAll:
		entry.Error = missing.Error()
		Record(entry)
		ginkgo.Fail(fmt.Sprintf("%v (and --require-all was given)", missing))
	case errors.As(err, &missing):
		entry.Skipped = missing.Error()
		Record(entry)
		ginkgo.Skip(missing.Error())
	case ctx.Err() != nil:
		ginkgo.Fail(err.Error())
	default:
		entry.Error = err.Error()
		Record(entry)
		ginkgo.Fail(err.Error())
	}
}

// unheard is what of the kernel could not be listened to. Everything else runs all
// the same, so it is said once.
var unheard = map[teardown.Source]string{}

func tellUnheard() {
	for _, source := range slices.Sorted(maps.Keys(unheard)) {
		fmt.Printf("\nnot listened to: %s: %s", source, unheard[source])
	}
}
