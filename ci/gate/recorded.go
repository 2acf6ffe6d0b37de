package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/report"
)

// recordedScenario takes a scenario, of which something was recorded, out of a record.
func recordedScenario(path, name string) (*report.Record, report.Scenario, error) {
	record, err := loadRecord(path)
	if err != nil {
		return nil, report.Scenario{}, err
	}
	i := slices.IndexFunc(record.Scenarios, func(s report.Scenario) bool { return s.Name == name })
	if i < 0 {
		return nil, report.Scenario{}, fmt.Errorf("%s has no scenario %s%s", path, name, namesWith(record, name))
	}
	s := record.Scenarios[i]
	if len(s.Trials)+len(s.Observations) == 0 {
		return nil, report.Scenario{}, fmt.Errorf("%s: %s was not tried: %s", path, name, cmp.Or(s.Skipped, s.Error, "the record does not say why"))
	}
	return record, s, nil
}

// loadRecord loads a record, and says which file is meant where a folder is named.
func loadRecord(path string) (*report.Record, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return report.Load(path)
	}
	found, err := recordsBelow(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for records: %w", err)
	case len(found) == 0:
		return nil, fmt.Errorf("%s is a folder, and there is no %s below it: want one that gate has written", path, recordFileName)
	}
	return nil, fmt.Errorf("%s is a folder: name a record in it, %s", path, strings.Join(found, " or "))
}

// namesWith offers the names of scenarios that have a text in them, those that end in it first.
func namesWith(record *report.Record, text string) string {
	const most = 5
	var ending, others []string
	for _, s := range record.Scenarios {
		switch {
		case strings.HasSuffix(s.Name, text):
			ending = append(ending, s.Name)
		case strings.Contains(s.Name, text):
			others = append(others, s.Name)
		}
	}
	names := slices.Concat(ending, others)
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf(": it has %s and %d more with that in their names", strings.Join(names[:most], ", "), len(names)-most)
	}
	return ": it has " + strings.Join(names, ", ")
}
