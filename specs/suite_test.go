// Package specs says what a Linux kernel must do when TCP connections end, one
// behaviour a file. The whole suite is one static test binary:
//
//	CGO_ENABLED=0 go test -c ./specs
//
// It runs on any Linux kernel, as root, or as an ordinary user who may make user
// namespaces; a spec that needs what the kernel lacks is skipped and names it.
package specs

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	gomega "github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/ladder"
	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/rootless"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/harness/vm/held"
)

var (
	recordPath = flag.String("record", "", "append what happens to `FILE`, a line of JSON a trial and one for each spec that is done,\nand judge nothing: only a failure of the harness itself fails")
	requireAll = flag.Bool("require-all", false, "fail, instead of skipping, a spec that needs what the kernel lacks")
	clockName  = flag.String("clock", "real", "the `CLOCK` that the kernel runs on: virtual, where what waits for an hour takes seconds, or real")
	trials     = flag.Int("trials", 1, "play each scenario `N` times")
)

// forbidden is why this process may not make network namespaces, which is no
// matter to one that only lists the specs.
var forbidden error

func TestMain(m *testing.M) {
	forbidden = rootless.Enter()
	if held.Held() {
		if err := awaitErrand(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// awaitErrand waits, in a guest that is kept, for what the suite is to do. What takes
// long and is the same each time comes before.
func awaitErrand() error {
	scenario.Prepare()
	args, err := held.Await()
	if err != nil {
		return err
	}
	os.Args = append(os.Args[:1], args...)
	return nil
}

func TestSpecs(t *testing.T) {
	if *exploring {
		exploreAll(t)
		return
	}
	RegisterFailHandler(Fail)
	config, reporter := GinkgoConfiguration()
	// An hour is Ginkgo's own limit, and nothing on a virtual clock.
	config.Timeout = max(config.Timeout, 24*time.Hour)
	RunSpecs(t, "finwait", config, reporter)
}

// What was not played is said in any case, not only where Ginkgo is told to be
// verbose.
var _ = ReportAfterSuite("skipped", func(r Report) {
	for _, spec := range r.SpecReports {
		if spec.State == types.SpecStateSkipped && spec.Failure.Message != "" {
			fmt.Printf("\nskipped %s: %s", spec.LeafNodeText, spec.Failure.Message)
		}
	}
	fmt.Println()
})

// unheard is what of the kernel could not be listened to. Everything else runs all
// the same, so it is said once.
var unheard = map[teardown.Source]string{}

var _ = AfterSuite(func() {
	for _, source := range slices.Sorted(maps.Keys(unheard)) {
		fmt.Printf("\nnot listened to: %s: %s", source, unheard[source])
	}
})

var (
	recording *os.File
	evidence  report.Evidence
)

// progress is how far the suite is.
var progress report.Progress

var _ = ReportBeforeSuite(func(r Report) { progress.Of = r.PreRunStats.SpecsThatWillRun })

var _ = ReportAfterEach(func(r SpecReport) {
	if r.NumAttempts == 0 {
		return // it was not to be run
	}
	progress.Done++
	record(report.Entry{Progress: &progress})
})

// noise is what the machine's clock is disturbed by, if it can be.
var noise *clock.Noise

var _ = BeforeSuite(func() {
	if *clockName != "virtual" {
		noise = clock.ListenToNoise()
		DeferCleanup(noise.Close)
	}
	if *trials < 1 {
		Fail(fmt.Sprintf("--trials %d: a scenario is played at least once", *trials))
	}
	if forbidden != nil {
		Fail(fmt.Sprintf("the specs make network namespaces, which this process may not: %v; or run `sudo make specs`", forbidden))
	}
	if *recordPath != "" {
		var err error
		recording, err = os.OpenFile(*recordPath, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		Expect(err).NotTo(HaveOccurred(), "open the file that --record names")
		DeferCleanup(recording.Close)
		record(report.Entry{Progress: &progress}) // the first spec comes next
	}
})

// leastOfRace is how often a race is run at least: once would show nothing.
const leastOfRace = 10

// Teardown declares a spec that plays a scenario and expects each trial to end
// as a good kernel ends it, and to satisfy what else is asked of it; of a race
// nothing is expected. The spec has the scenario's name, and each part of the name
// as a label.
func Teardown(s scenario.Scenario, also ...gomega.GomegaMatcher) bool {
	return It(s.Name, Offset(1), Label(strings.Split(s.Name, "/")...), func(ctx SpecContext) {
		n := *trials
		if s.Race {
			n = max(n, leastOfRace)
		}
		if s.TakesMinutes() && *clockName != "virtual" {
			cannotPlay(ctx, s, &kernel.MissingCapability{Name: "a virtual clock", Err: errors.New("it takes minutes on a real one")})
		}
		s.Noise = noise
		for trial, err := range scenario.Repeat(ctx, s, n, 0) {
			if err != nil {
				cannotPlay(ctx, s, err)
			}
			maps.Copy(unheard, trial.Exchange.Unheard)
			AddReportEntry(s.Name, ladder.Text(trial), ReportEntryVisibilityFailureOrVerbose)
			if trial.Outcome == s.Expected() && !s.Race {
				trial.Unmet = unmet(trial, also)
			}
			record(report.Entry{Name: s.Name, Expected: s.Expected(), Race: s.Race, Trial: &trial})
			if recording == nil && !s.Race {
				Expect(trial).To(And(append(also, EndAs(s.Expected()))...))
			}
		}
	})
}

// unmet is what of a trial's expectations it does not meet, each in the words of its
// matcher.
func unmet(trial teardown.Trial, expected []gomega.GomegaMatcher) (wishes []string) {
	for _, m := range expected {
		if met, err := m.Match(trial); err == nil && !met {
			wish, _, _ := strings.Cut(m.FailureMessage(trial), ", but this happened:")
			wishes = append(wishes, strings.TrimPrefix(wish, "Expected the teardown "))
		}
	}
	return wishes
}

// cannotPlay ends a spec without a trial: a capability that the kernel was
// asked for and lacks skips it, anything else fails it. An interrupted run says
// nothing of its scenario, and records nothing.
func cannotPlay(ctx context.Context, s scenario.Scenario, err error) {
	without(ctx, report.Entry{Name: s.Name, Expected: s.Expected(), Race: s.Race}, err)
}

// without is cannotPlay for whatever the entry is of.
func without(ctx context.Context, entry report.Entry, err error) {
	var missing *kernel.MissingCapability
	switch {
	case errors.As(err, &missing) && *requireAll:
		entry.Error = missing.Error()
		record(entry)
		Fail(fmt.Sprintf("%v (and --require-all was given)", missing))
	case errors.As(err, &missing):
		entry.Skipped = missing.Error()
		record(entry)
		Skip(missing.Error())
	case ctx.Err() != nil:
		Fail(err.Error())
	default:
		entry.Error = err.Error()
		record(entry)
		Fail(err.Error())
	}
}

func record(entry report.Entry) {
	if recording == nil {
		return
	}
	entry, err := evidence.Thin(entry)
	Expect(err).NotTo(HaveOccurred())
	line, err := json.Marshal(entry)
	Expect(err).NotTo(HaveOccurred())
	// One write a line: with O_APPEND the lines of parallel processes do not
	// mix.
	_, err = recording.Write(append(line, '\n'))
	Expect(err).NotTo(HaveOccurred(), "append to the file that --record names")
}
