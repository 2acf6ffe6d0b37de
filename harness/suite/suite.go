// Package suite is what suites of specs have in common: a test binary that runs on any
// kernel, in a guest that is kept or not, and that judges what happens, or records it and
// judges nothing.
package suite

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/rootless"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/vm/held"
)

var (
	recordPath = flag.String("record", "", "append what happens to `FILE`, a line of JSON a trial and one for each spec that is done,\nand judge nothing: only a failure of the harness itself fails")
	requireAll = flag.Bool("require-all", false, "fail, instead of skipping, a spec that needs what the kernel lacks")
	clockName  = flag.String("clock", "real", "the `CLOCK` that the kernel runs on: virtual, where what waits for an hour takes seconds, or real")
	trials     = flag.Int("trials", 1, "play each scenario `N` times")
)

// RequireAll reports whether a spec that needs what the kernel lacks is to fail.
func RequireAll() bool { return *requireAll }

// OnVirtualClock reports whether the kernel runs on a virtual clock, where what waits for
// an hour takes seconds.
func OnVirtualClock() bool { return *clockName == "virtual" }

// Trials is how often each scenario is to be played.
func Trials() int { return *trials }

var (
	forbidden error
	noise     *clock.Noise
)

// Forbidden is why this process may not make network namespaces, which is no matter to
// one that only lists the specs; nil where it may.
func Forbidden() error { return forbidden }

// Noise is what the machine's clock is disturbed by; nil where the clock is a virtual one,
// and before the first spec.
func Noise() *clock.Noise { return noise }

// Main is the TestMain of a suite, and does not return.
func Main(m *testing.M) {
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

// Run runs the specs that the binary has. It is called once.
func Run(t *testing.T, name string) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.BeforeSuite(begin)
	keepProgress()
	tellWhatWasNotDone()
	config, reporter := ginkgo.GinkgoConfiguration()
	// An hour is Ginkgo's own limit, and nothing on a virtual clock.
	config.Timeout = max(config.Timeout, 24*time.Hour)
	ginkgo.RunSpecs(t, name, config, reporter)
}

// begin comes before the first spec.
func begin() {
	if !OnVirtualClock() {
		noise = clock.ListenToNoise()
		ginkgo.DeferCleanup(noise.Close)
	}
	if *trials < 1 {
		ginkgo.Fail(fmt.Sprintf("--trials %d: a scenario is played at least once", *trials))
	}
	if forbidden != nil {
		ginkgo.Fail(fmt.Sprintf("the specs make network namespaces, which this process may not: %v; or run `sudo make specs`", forbidden))
	}
	if *recordPath != "" {
		var err error
		recording, err = OpenRecord()
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		ginkgo.DeferCleanup(recording.Close)
		recordProgress() // the first spec comes next
	}
}

// tellWhatWasNotDone says it in any case, not only where Ginkgo is told to be verbose.
func tellWhatWasNotDone() {
	ginkgo.AfterSuite(tellUnheard)
	ginkgo.ReportAfterSuite("skipped", func(r ginkgo.Report) {
		for _, spec := range r.SpecReports {
			if spec.State == types.SpecStateSkipped && spec.Failure.Message != "" {
				fmt.Printf("\nskipped %s: %s", spec.LeafNodeText, spec.Failure.Message)
			}
		}
		fmt.Println()
	})
}
