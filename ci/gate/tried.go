package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// tried is what came of trying a server on kernels.
type tried struct {
	command  []string
	patience time.Duration // how long a client waited for the server to end the connection
	records  []*report.Record
}

// triedPrefix is what the names of gate try's scenarios begin with, as the suite has them.
const triedPrefix = "try/"

// inManner is what a record has of a manner.
func inManner(record *report.Record, m scenario.Manner) report.Scenario {
	i := slices.IndexFunc(record.Scenarios, func(s report.Scenario) bool { return s.Name == triedPrefix+string(m) })
	if i < 0 {
		return report.Scenario{}
	}
	return record.Scenarios[i]
}

// write prints a table of manners and kernels, what each kernel makes of the server, and
// the ladder by which that is told.
func (t tried) write(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", strings.Join(t.command, " "))
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, record := range t.records {
		fmt.Fprintf(table, "\t%v", record.Kernel)
	}
	fmt.Fprintln(table)
	for _, m := range scenario.Manners {
		fmt.Fprint(table, m)
		for _, record := range t.records {
			fmt.Fprintf(table, "\t%s", inWords(inManner(record, m)))
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, record := range t.records {
		fmt.Fprintf(w, "%v: %s\n", record.Kernel, t.summary(record))
		if answer := answerIn(record); answer != "" {
			fmt.Fprintf(w, "%v: the server's answer began with %q\n", record.Kernel, answer)
		}
		if failed := failedClient(record); failed != "" {
			fmt.Fprintf(w, "%v: the client failed: %s\n", record.Kernel, failed)
		}
	}
	return t.writeLadders(w)
}

// answerIn is the first line of what the server answered to a client of ours, or of the
// first of it; empty where none was told of.
func answerIn(record *report.Record) string {
	for _, m := range scenario.Manners {
		trial := inManner(record, m).Judged()
		if trial == nil || trial.Exchange == nil || trial.Exchange.Client.Heard == "" {
			continue
		}
		line, _, _ := strings.Cut(trial.Exchange.Client.Heard, "\n")
		line = strings.TrimSuffix(line, "\r")
		if runes := []rune(line); len(runes) > 60 {
			line = string(runes[:60])
		}
		return line
	}
	return ""
}

// writeLadders prints how the overtaken FIN went, on two kernels beside each other.
func (t tried) writeLadders(w io.Writer) error {
	var panels []ladder.Panel
	for _, record := range t.records {
		if trial := inManner(record, scenario.FINOvertaken).Judged(); trial != nil {
			panels = append(panels, ladder.Panel{Kernel: record.Kernel.String(), Trial: *trial})
		}
	}
	if len(panels) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n%s:\n", scenario.FINOvertaken)
	if len(panels) > 2 {
		panels = []ladder.Panel{panels[0], panels[len(panels)-1]}
	}
	return printLadder(w, panels)
}

// failedClient is how a client of the user's came to a bad end, the first that did.
func failedClient(record *report.Record) string {
	for _, m := range scenario.Manners {
		if trial := inManner(record, m).Judged(); trial != nil && trial.Exchange != nil && trial.Exchange.Client.Failed != "" {
			return trial.Exchange.Client.Failed
		}
	}
	return ""
}

// inWords is what a manner came to.
func inWords(s report.Scenario) string {
	trial := s.Judged()
	switch {
	case trial == nil && s.Skipped == "":
		return "not tried"
	case trial == nil:
		return "not tried: " + s.Skipped
	}
	words := string(trial.Outcome)
	if lost := cost(*trial); lost > 0 {
		words += fmt.Sprintf(", %d ms lost", lost.Milliseconds())
	}
	if call := trial.Exchange.Server.Call; call != "" {
		words += ", by " + call
	}
	return words
}

// cost is how much later what the server dropped was sent again.
func cost(t teardown.Trial) (lost time.Duration) {
	for _, r := range t.DroppedBy(segment.Server) {
		lost += r.Delay
	}
	return lost
}

// exposing are the manners in which a kernel drops what a client sends to the server, and
// open those of which nothing is known, or something else that a good kernel does not do.
// That the server does not close before its client is known of one that was waited for
// when its client was gone, and did not close then either.
func exposing(record *report.Record) (exposed, open []scenario.Manner) {
	for _, m := range scenario.Manners {
		s := inManner(record, m)
		switch trial := s.Judged(); {
		case trial == nil && m != scenario.FINOvertaken && s.Skipped != "", s.Skipped == scenario.ErrNotFirst.Why && keepsWaiting(record):
		case trial != nil && exposure.Exposed(*trial):
			exposed = append(exposed, m)
		case trial == nil || trial.Outcome != s.Expected || m == scenario.Undisturbed && trial.Outcome == teardown.Stuck:
			open = append(open, m)
		}
	}
	return exposed, open
}

// keepsWaiting reports whether the server was seen to end no connection whose client was
// gone, as long as its kernel knew it.
func keepsWaiting(record *report.Record) bool {
	trial := inManner(record, scenario.ClientGone).Judged()
	return trial != nil && trial.Exchange != nil && trial.Exchange.Server.Call == ""
}

// inAGuest is where a server's own timeouts are waited for, if they were not here.
func inAGuest(record *report.Record) string {
	if inManner(record, scenario.ClientGone).Judged() != nil {
		return ""
	}
	return ", or try it in a guest, where its timeouts cost no time"
}

// summary is what a kernel makes of the server.
func (t tried) summary(record *report.Record) string {
	exposed, open := exposing(record)
	skipped := inManner(record, scenario.FINOvertaken).Skipped
	switch {
	case len(exposed) > 0:
		return fmt.Sprintf("exposed: what a client sends is dropped, and has to be sent again (%s)", list(exposed))
	case slices.Contains(open, scenario.FINOvertaken) && skipped == scenario.ErrNotFirst.Why:
		return fmt.Sprintf("it cannot be told whether it is exposed: it ended no connection within %v, and may later: give it longer, by --patience%s", t.patience, inAGuest(record))
	case slices.Contains(open, scenario.FINOvertaken) && skipped == scenario.ErrClientWaits.Why:
		return fmt.Sprintf("it cannot be told whether it is exposed: %s: try it without --client", skipped)
	case len(open) > 0:
		return fmt.Sprintf("it cannot be told whether it is exposed (%s)", list(open))
	case skipped == scenario.ErrNotFirst.Why:
		return fmt.Sprintf("not exposed: %s, which waited for that for %v (--patience)", skipped, t.patience)
	case skipped != "":
		return "not exposed: " + skipped
	}
	if inManner(record, scenario.FINOvertaken).Outcome == teardown.Reset {
		return "not exposed: the server resets its connections, and waits for no FIN"
	}
	return "not exposed: nothing that a client sends is lost"
}

func list(manners []scenario.Manner) string {
	var names []string
	for _, m := range manners {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// verdict is the exit status, by the kernel that is meant to serve.
func (t tried) verdict() error {
	switch exposed, open := exposing(t.records[len(t.records)-1]); {
	case len(exposed) > 0:
		return exitStatus(exitRegression)
	case len(open) > 0:
		return exitStatus(exitInconclusive)
	}
	return nil
}
