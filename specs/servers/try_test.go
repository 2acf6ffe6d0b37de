package servers

import (
	"encoding/json"
	"testing"

	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/harness/teardown"
)

// tryServer has clients come to the server that --try describes, and judges nothing.
func tryServer(t *testing.T) {
	if err := suite.Forbidden(); err != nil {
		t.Fatalf("trying a server takes network namespaces, which this process may not make: %v", err)
	}
	var task exposure.Task
	if err := json.Unmarshal([]byte(*try), &task); err != nil {
		t.Fatalf("--try: %v", err)
	}
	out, err := suite.OpenRecord()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	write := func(entry report.Entry) error {
		line, err := json.Marshal(entry)
		if err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return err
	}
	err = task.Run(t.Context(), suite.OnVirtualClock(), func(f exposure.Finding) error { return write(entryOf(f)) })
	if err != nil {
		err = write(report.Entry{Name: entryOf(exposure.Finding{Manner: scenario.Undisturbed}).Name, Expected: teardown.Clean, Error: err.Error()})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func entryOf(f exposure.Finding) report.Entry {
	entry := report.Entry{Name: "try/" + string(f.Manner), Expected: f.Owed, Trial: f.Trial}
	if f.Why != nil {
		entry.Skipped = f.Why.Error()
	}
	return entry
}
