//go:build vm

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// TestServersOfDebians holds what a server's closing call makes of it on two real kernels:
// Linux 5.10 drops what a client sends to one that waits for the client's FIN with its
// socket in its hands, and loses nothing of any other; 6.12 loses nothing of any.
func TestServersOfDebians(t *testing.T) {
	out := t.TempDir()
	status, stdout, stderr := gate(t, "servers", "--servers", filepath.Join("..", "..", ".bin", "servers"),
		"--label-filter", string(scenario.FINOvertaken+" || "+scenario.DataOvertaken), "--out", out, "debian/bullseye", "debian/trixie")
	expectNoRegression(t, status, out, stdout, stderr)
	for _, k := range []struct {
		folder string
		loses  bool
	}{{"debian-bullseye", true}, {"debian-trixie", false}} {
		record, err := report.Load(filepath.Join(out, k.folder, recordFileName))
		if err != nil {
			t.Fatal(err)
		}
		for _, server := range catalogue.All() {
			for _, m := range []scenario.Manner{scenario.FINOvertaken, scenario.DataOvertaken} {
				expectServer(t, record, server, m, k.loses)
			}
		}
		for _, w := range widerExpectations {
			expectWider(t, record, w, k.loses)
		}
	}
}

type widerExpectation struct {
	name  string
	timer teardown.Timer
	least time.Duration // that it costs
}

// What is expected of an overtaken FIN with clients that people use, and of what may be
// tried against its loss, on a kernel that loses it: the timer that sends it again, or
// none where nothing is lost.
var widerExpectations = []widerExpectation{
	{"nginx/lingering-close-always/client-curl", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-always/client-go", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-off/client-curl", "", 0},
	{"nginx/lingering-close-off/client-go", "", 0},
	{"go/close-write/client-curl", teardown.TLP, 200 * time.Millisecond},
	{"go/close-write/client-go", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-lingering-close-off", "", 0},
	{"nginx/lingering-close-always/remedy-client-rto-min-50ms", teardown.TLP, 50 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-server-rto-min-100ms", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-client-early-retrans-0", teardown.RTO, 200 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-sack-off", teardown.RTO, 200 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-fin-timeout-10", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-always/remedy-fin-timeout-120", teardown.TLP, 200 * time.Millisecond},
	{"nginx/lingering-close-off/remedy-fin-timeout-120", teardown.TLP, 200 * time.Millisecond},
}

// slack is how much longer than it must a retransmission takes: the timer's ticks, and a
// round trip.
const slack = 50 * time.Millisecond

func expectWider(t *testing.T, record *report.Record, w widerExpectation, loses bool) {
	t.Helper()
	name := w.name + "/" + string(scenario.FINOvertaken)
	i := slices.IndexFunc(record.Scenarios, func(s report.Scenario) bool { return s.Name == name })
	if i < 0 || len(record.Scenarios[i].Trials) == 0 {
		t.Errorf("%v: %s was not played", record.Kernel, name)
		return
	}
	trial := record.Scenarios[i].Trials[0]
	dropped := trial.DroppedBy(segment.Server)
	switch lost := loses && w.timer != ""; {
	case !lost && trial.Outcome != teardown.Clean:
		t.Errorf("%v: %s is %s, want %s; %v", record.Kernel, name, trial.Outcome, teardown.Clean, trial.Why)
	case lost && (trial.Outcome != teardown.Retransmitted || len(dropped) != 1 || dropped[0].Timer != w.timer ||
		dropped[0].Delay < w.least || dropped[0].Delay > w.least+slack):
		t.Errorf("%v: %s is %s, and has %v dropped; want one, sent again by the %s after %v", record.Kernel, name, trial.Outcome, dropped, w.timer, w.least)
	}
}

// expectServer expects a server to be exposed as its closing call has it, on a kernel that
// loses FINs or one that does not.
func expectServer(t *testing.T, record *report.Record, server catalogue.Server, m scenario.Manner, loses bool) {
	t.Helper()
	name := server.Name + "/" + string(m)
	i := slices.IndexFunc(record.Scenarios, func(s report.Scenario) bool { return s.Name == name })
	if i < 0 {
		t.Errorf("%v: %s was not played", record.Kernel, name)
		return
	}
	s := record.Scenarios[i]
	if server.Ends == catalogue.Second {
		if !strings.Contains(s.Skipped, scenario.ErrNotFirst.Why) {
			t.Errorf("%v: %s ends as %q, and should not come about", record.Kernel, name, s.Outcome)
		}
		return
	}
	want, exposed := s.Expected, loses && server.Ends == catalogue.ShutdownWrite
	if exposed {
		want = teardown.Retransmitted
	}
	for _, trial := range s.Trials {
		if trial.Outcome != want || exposure.Exposed(trial) != exposed || len(trial.Unmet) > 0 {
			t.Errorf("%v: %s is %s, want %s; %v %v", record.Kernel, name, trial.Outcome, want, trial.Why, trial.Unmet)
		}
	}
}
