package suite

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/report"
)

var (
	recording *os.File
	evidence  report.Evidence
	progress  report.Progress // how far the suite is
)

// Recording reports whether what happens is recorded, and nothing is judged.
func Recording() bool { return recording != nil }

// OpenRecord opens the file that --record names, to append to it. One write a line: with
// O_APPEND the lines of parallel processes do not mix.
func OpenRecord() (*os.File, error) {
	file, err := os.OpenFile(*recordPath, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the file that --record names: %w", err)
	}
	return file, nil
}

// Record appends an entry to the file that --record names, if it names one.
func Record(entry report.Entry) {
	ginkgo.GinkgoHelper()
	if recording == nil {
		return
	}
	entry, err := evidence.Thin(entry)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	line, err := json.Marshal(entry)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = recording.Write(append(line, '\n'))
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "append to the file that --record names")
}

// keepProgress has it recorded how far the suite is.
func keepProgress() {
	ginkgo.ReportBeforeSuite(func(r ginkgo.Report) { progress.Of = r.PreRunStats.SpecsThatWillRun })
	ginkgo.ReportAfterEach(func(r ginkgo.SpecReport) {
		if r.NumAttempts == 0 {
			return // it was not to be run
		}
		progress.Done++
		recordProgress()
	})
}

func recordProgress() { Record(report.Entry{Progress: &progress}) }
