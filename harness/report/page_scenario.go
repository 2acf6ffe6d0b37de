package report

import (
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
)

// A scenarioView is one scenario: a row of the table, and what it links to.
type scenarioView struct {
	Name, Anchor string
	// Expected is what a good kernel does; empty for a behaviour.
	Expected string
	Race     bool
	// Changes are its changes as classes, by which the table is narrowed down.
	Changes string
	// Several is true where latencies are spread over several trials.
	Several bool
	// Longest is the end of the plots' scale.
	Longest string
	Cells   []cellView
	Ladders []ladderView
	Again   []string

	changes []Change
}

// A cellView is a scenario on one kernel.
type cellView struct {
	Kernel              string
	Outcome, Took, Why  string
	Class, Mark, Change string
	Evidence            string
	Client, Server      string
	Plot                template.HTML
	// Ladder, Drawing and Capture are files in the record's folder.
	Ladder, Drawing, Capture string
}

// views are the scenarios' rows, in the order of the names.
func (r Run) views(all, folders []string) []*scenarioView {
	views := make([]*scenarioView, 0, len(all))
	for _, name := range all {
		v := &scenarioView{Name: name, Anchor: anchor(name), Again: r.again(name, all)}
		var scenarios []Scenario
		for i, record := range r.Records {
			s := record.find(name)
			scenarios = append(scenarios, s)
			if s.Expected != "" {
				v.Expected = string(s.Expected)
			}
			v.Race = v.Race || s.Race
			v.Several = v.Several || len(s.Trials) > 1
			cell := cellView{
				Kernel: record.Kernel.String(), Outcome: s.outcome(), Why: s.reason(),
				Client: s.figures(0), Server: s.figures(1),
			}
			if took, ok := distribute(s.Trials).slower(); ok {
				cell.Took = milliseconds(took.Median)
			}
			if i < len(folders) && folders[i] != "" && len(s.Trials)+len(s.Observations) > 0 {
				cell.Ladder = path.Join(folders[i], "exchanges", name+".txt")
				if len(s.Trials) > 0 {
					cell.Drawing = path.Join(folders[i], "exchanges", name+".svg")
					cell.Capture = s.capture(path.Join(folders[i], "exchanges", name))
				}
			}
			if change := r.change(i, name); change != "" {
				cell.Class, cell.Mark, cell.Change = class(change), marks[change], string(change)
				cell.Evidence = r.Comparisons[i-1].row(name).figures()
				v.changes = append(v.changes, change)
			}
			v.Cells = append(v.Cells, cell)
		}
		v.plot(scenarios)
		for _, change := range v.changes {
			if c := class(change); !slices.Contains(strings.Fields(v.Changes), c) {
				v.Changes = strings.TrimSpace(v.Changes + " " + c)
			}
		}
		views = append(views, v)
	}
	return views
}

// reason is what has to be known of a scenario beside its outcome.
func (s Scenario) reason() string {
	switch {
	case s.Error != "", s.Skipped != "", !conclusive(s) && !s.unjudged():
		return s.whyNot()
	case len(s.unmet()) > 0:
		return "it was " + strings.Join(s.unmet(), ", and ") + ", and did not"
	}
	if told := s.told(); len(s.Trials) > 0 && told != string(s.Outcome) {
		return strings.TrimPrefix(told, string(s.Outcome)+": ")
	}
	return ""
}

// capture is the file of what the taps saw in the trial that is drawn, given how the
// files of the scenario begin; empty where no trial kept that.
func (s Scenario) capture(name string) string {
	for i, t := range s.Trials {
		switch {
		case t.Outcome != s.Outcome || t.Exchange == nil:
		case i == 0:
			return name + ".pcapng"
		default:
			return fmt.Sprintf("%s.trial-%d.pcapng", name, i+1)
		}
	}
	return ""
}
