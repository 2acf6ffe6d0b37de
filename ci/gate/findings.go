package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/report"
)

// Findings are what one kernel answers.
type findings struct {
	kernel report.Kernel
	// expected says whether anything is expected of the kernel.
	expected bool
	// of has one for each question, in the order of behaviour.All.
	of []finding
}

// A finding is an answer, held against what is expected.
type finding struct {
	behaviour.Question
	// answer is empty where there is none, and why says what kept it from being given.
	answer, why string
	// want is empty where nothing is expected.
	want string
	// exchange is what was sent and received.
	exchange []string
}

// contradicts reports whether the answer is not what is expected.
func (f finding) contradicts() bool { return f.answer != "" && f.want != "" && f.answer != f.want }

// presence is whether the kernel has the question's change; empty where no change is
// known, or no answer.
func (f finding) presence() behaviour.Presence {
	if f.Change == nil || f.answer == "" {
		return ""
	}
	return f.Change.In(f.answer)
}

// words are the answer as the table has it.
func (f finding) words() string {
	switch {
	case f.answer == "" && strings.HasPrefix(f.why, lacks):
		return "cannot be asked"
	case f.answer == "":
		return string(report.Unknown)
	case f.contradicts():
		return f.answer + " (!)"
	}
	return f.answer
}

// lacks begins the reason of a question that a kernel cannot be asked.
const lacks = "it cannot be asked: "

// hold takes a kernel's answers out of its record.
func (e expectations) hold(record *report.Record) findings {
	want, expected := e.of(record.Kernel)
	held := findings{kernel: record.Kernel, expected: expected}
	for _, q := range behaviour.All() {
		f := finding{Question: q, want: want[q.Name], why: "it was not asked: " + record.Incomplete}
		i := slices.IndexFunc(record.Scenarios, func(s report.Scenario) bool { return s.Name == "behaviour/"+q.Name })
		if i >= 0 {
			f.take(record.Scenarios[i])
		}
		held.of = append(held.of, f)
	}
	return held
}

// take is what the record has of the question.
func (f *finding) take(s report.Scenario) {
	if f.answer, f.why = s.Shows(); s.Skipped != "" {
		f.why = lacks + s.Skipped
	}
	for _, o := range s.Observations {
		if o.Answer == f.answer {
			f.exchange = o.Exchange
			return
		}
	}
}

// writeFindings prints a table of questions and kernels, the changes, and what is not
// as it should be.
func writeFindings(w io.Writer, kernels []findings, source string) error {
	if len(kernels) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "behaviour\tchange")
	for _, k := range kernels {
		fmt.Fprintf(table, "\t\t%v", k.kernel)
	}
	fmt.Fprintln(table)
	for i, q := range behaviour.All() {
		commit := ""
		if q.Change != nil {
			commit = q.Change.Commit
		}
		fmt.Fprintf(table, "%s\t%s", q.Name, commit)
		for _, k := range kernels {
			fmt.Fprintf(table, "\t%s\t%s", k.of[i].presence(), k.of[i].words())
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nBefore an answer: whether the kernel has the change, yes or no; open where the answer does not tell.\n")
	told := map[string]bool{}
	for _, q := range behaviour.All() {
		if q.Change != nil && !told[q.Change.Commit] {
			told[q.Change.Commit] = true
			fmt.Fprintf(w, "  %s  %s\n", q.Change.Commit, q.Change.Subject)
		}
	}
	fmt.Fprintln(w)
	for _, k := range kernels {
		k.conclude(w, source)
	}
	return nil
}

// conclude says how the answers agree with what is expected.
func (k findings) conclude(w io.Writer, source string) {
	agree := 0
	for _, f := range k.of {
		switch {
		case f.answer == "":
			fmt.Fprintf(w, "%v: %s: %s\n", k.kernel, f.Name, f.why)
		case f.contradicts():
			fmt.Fprintf(w, "%v: %s: %s, where %s expects %s:\n", k.kernel, f.Name, f.answer, source, f.want)
			for _, line := range f.exchange {
				fmt.Fprintf(w, "  %s\n", line)
			}
		case f.want != "":
			agree++
		}
	}
	if !k.expected {
		fmt.Fprintf(w, "%v: %s has no expectation of it\n", k.kernel, source)
		return
	}
	fmt.Fprintf(w, "%v: %d of %d as %s expects\n", k.kernel, agree, len(k.of), source)
}

// verdictOn is what the answers come to, as an exit status.
func verdictOn(kernels []findings) error {
	verdict := report.NoRegression
	for _, k := range kernels {
		for _, f := range k.of {
			switch {
			case f.contradicts():
				return status(report.Regression)
			case f.answer == "" && (f.want != "" || !strings.HasPrefix(f.why, lacks)):
				verdict = report.Undecided
			}
		}
	}
	return status(verdict)
}
