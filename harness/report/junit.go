package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/onsi/ginkgo/v2/reporters"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// WriteJUnit writes the record as JUnit XML: a scenario that did not end as a
// good kernel ends it is a failure with its ladder; one that was not conclusive
// or could not be played is an error, and so is a run that ended early. A behaviour
// that was observed passes, with the answer as its output.
func (r *Record) WriteJUnit(w io.Writer) error {
	suite := reporters.JUnitTestSuite{Name: r.Kernel.String(), Package: "finwait"}
	for _, s := range r.Scenarios {
		testcase := reporters.JUnitTestCase{Name: s.Name, Classname: r.Kernel.Name()}
		if took, ok := distribute(s.Trials).slower(); ok {
			testcase.Time = took.Median.Seconds()
		}
		suite.Tests++
		switch {
		case s.Error != "":
			testcase.Error = &reporters.JUnitError{Message: s.Error, Type: "harness"}
			suite.Errors++
		case s.Skipped != "":
			testcase.Skipped = &reporters.JUnitSkipped{Message: s.Skipped}
			suite.Skipped++
		case s.Observed != "":
			testcase.SystemOut = s.Observed + "\n"
		case s.asksBehaviour():
			testcase.Error = &reporters.JUnitError{Message: s.whyNot(), Type: string(teardown.Inconclusive), Description: s.exchange()}
			suite.Errors++
		case s.Race:
			testcase.SystemOut = race + ": " + s.outcome() + "\n"
		case s.Outcome == teardown.Inconclusive:
			testcase.Error = &reporters.JUnitError{Message: s.whyNot(), Type: string(s.Outcome), Description: s.ladders()}
			suite.Errors++
		case s.Outcome != s.Expected:
			testcase.Failure = &reporters.JUnitFailure{
				Message:     fmt.Sprintf("%s, where a good kernel ends it %s", s.outcome(), s.Expected),
				Type:        string(s.Outcome),
				Description: s.ladders(),
			}
			suite.Failures++
		case len(s.unmet()) > 0:
			testcase.Failure = &reporters.JUnitFailure{
				Message:     "it was " + strings.Join(s.unmet(), ", and ") + ", and did not",
				Type:        "unmet",
				Description: s.ladders(),
			}
			suite.Failures++
		}
		if testcase.SystemOut == "" && len(s.Trials) > 1 {
			testcase.SystemOut = s.spreads()
		}
		suite.Time += testcase.Time
		suite.TestCases = append(suite.TestCases, testcase)
	}
	if r.Incomplete != "" {
		suite.TestCases = append(suite.TestCases, reporters.JUnitTestCase{
			Name: "the whole run", Classname: r.Kernel.Name(),
			Error: &reporters.JUnitError{Message: r.Incomplete, Type: "incomplete"},
		})
		suite.Tests++
		suite.Errors++
	}
	all := reporters.JUnitTestSuites{
		Tests: suite.Tests, Errors: suite.Errors, Failures: suite.Failures, Time: suite.Time,
		TestSuites: []reporters.JUnitTestSuite{suite},
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	return encoder.Encode(all)
}

// spreads are how many of the trials ended in which way, what holds the share of all
// trials that would, and how long the ends took to close.
func (s Scenario) spreads() string {
	var out strings.Builder
	d := distribute(s.Trials)
	for _, o := range badness {
		if n := d.Outcomes[o]; n > 0 {
			share := shareOf(n, len(s.Trials))
			fmt.Fprintf(&out, "%v trials %s (%s)\n", share, o, share.percent())
		}
	}
	for _, side := range segment.Sides {
		if took, ok := d.Latency[side]; ok {
			fmt.Fprintf(&out, "the %v closed after %s, the median of %d\n", side, took.estimate(), took.Trials)
		}
	}
	return out.String()
}

// ladders draws every trial that did not end as expected, or did not show what else is.
func (s Scenario) ladders() string {
	var out strings.Builder
	for _, t := range s.Trials {
		if t.Outcome != s.Expected || len(t.Unmet) > 0 {
			out.WriteString(ladder.Text(t))
		}
	}
	return out.String()
}
