package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// triedOn is a record in which every manner but some came to what it should.
func triedOn(t *testing.T, but map[scenario.Manner]report.Entry) *report.Record {
	t.Helper()
	record := report.New(report.Kernel{Source: "debian/trixie"}, "virtual")
	for _, m := range scenario.Manners {
		entry, other := but[m]
		if !other {
			entry = report.Entry{Trial: &teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{}}}
		}
		entry.Name, entry.Expected = "try/"+string(m), teardown.Clean
		if entry.Trial == nil && entry.Skipped == "" {
			continue // it is not in the record
		}
		if err := record.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	return record
}

func TestWhatATrialOfAServerComesTo(t *testing.T) {
	trial := func(outcome teardown.Outcome, droppedBy string) report.Entry {
		tried := teardown.Trial{Outcome: outcome, Exchange: &teardown.Exchange{Server: teardown.End{Call: "shutdown(SHUT_WR)"}}}
		if droppedBy != "" {
			tried.Retransmissions = []teardown.Retransmission{{
				From: segment.Client, FIN: true, Delay: 207 * time.Millisecond, Cause: teardown.Cause{By: droppedBy},
			}}
		}
		return report.Entry{Trial: &tried}
	}
	skipped := report.Entry{Skipped: scenario.ErrNotFirst.Error()}
	for name, c := range map[string]struct {
		but  map[scenario.Manner]report.Entry
		says []string
		want error
	}{
		"all is well": {nil, []string{"not exposed: nothing that a client sends is lost"}, nil},
		"a FIN is lost": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: trial(teardown.Retransmitted, "server")},
			[]string{"retransmitted, 207 ms lost, by shutdown(SHUT_WR)", ": exposed: ", "(overtaken-fin)"},
			exitStatus(exitRegression),
		},
		"something is lost on the way": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: trial(teardown.Retransmitted, "network")},
			[]string{"it cannot be told whether it is exposed (overtaken-fin)"},
			exitStatus(exitInconclusive),
		},
		"a trial shows nothing": {
			map[scenario.Manner]report.Entry{scenario.DataOvertaken: trial(teardown.Inconclusive, "server")},
			[]string{"it cannot be told whether it is exposed (overtaken-data)"},
			exitStatus(exitInconclusive),
		},
		"a trial is not there": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: {}},
			[]string{"overtaken-fin    not tried\n", "it cannot be told"},
			exitStatus(exitInconclusive),
		},
		"the client is of no use": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: {Skipped: scenario.ErrClientWaits.Error()}},
			[]string{"it cannot be told whether it is exposed: the client does not close before", "try it without --client"},
			exitStatus(exitInconclusive),
		},
		"the client closes first": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: skipped, scenario.DataOvertaken: skipped, scenario.FINsCross: skipped},
			[]string{"not exposed: the server does not end the connection before its client does, which waited for that for 3s"},
			nil,
		},
		"the server closes later than the client waits": {
			map[scenario.Manner]report.Entry{
				scenario.FINOvertaken: skipped, scenario.DataOvertaken: skipped, scenario.FINsCross: skipped,
				scenario.ClientGone: trial(teardown.Clean, ""),
			},
			[]string{"it cannot be told whether it is exposed: it ended no connection within 3s, and may later: give it longer, by --patience\n"},
			exitStatus(exitInconclusive),
		},
		"nobody waited for the server's timeouts": {
			map[scenario.Manner]report.Entry{scenario.FINOvertaken: skipped, scenario.ClientGone: {Skipped: "it takes minutes"}},
			[]string{"it ended no connection within 3s, and may later: give it longer, by --patience, or try it in a guest"},
			exitStatus(exitInconclusive),
		},
		"the server closes last, and its kernel does not forget the connection": {
			map[scenario.Manner]report.Entry{
				scenario.FINOvertaken: skipped,
				scenario.ClientGone:   {Trial: &teardown.Trial{Outcome: teardown.Stuck, Exchange: &teardown.Exchange{}}},
			},
			[]string{"it cannot be told whether it is exposed (client-gone)"},
			exitStatus(exitInconclusive),
		},
		"the client fails": {
			map[scenario.Manner]report.Entry{scenario.Undisturbed: {Trial: &teardown.Trial{
				Outcome:  teardown.Clean,
				Exchange: &teardown.Exchange{Client: teardown.End{Failed: "curl: it ended: exit status 60"}},
			}}},
			[]string{"debian/trixie: the client failed: curl: it ended: exit status 60"},
			nil,
		},
		"the server says something": {
			map[scenario.Manner]report.Entry{scenario.Undisturbed: {Trial: &teardown.Trial{
				Outcome:  teardown.Clean,
				Exchange: &teardown.Exchange{Client: teardown.End{Heard: "HTTP/1.1 400 Bad Request\r\nServer: \x1b"}},
			}}},
			[]string{`the server's answer began with "HTTP/1.1 400 Bad Request"`},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tried := tried{[]string{"nginx"}, 3 * time.Second, []*report.Record{triedOn(t, c.but)}}
			var out strings.Builder
			if err := tried.write(&out); err != nil {
				t.Fatal(err)
			}
			for _, text := range c.says {
				if !strings.Contains(out.String(), text) {
					t.Errorf("it does not say %q:\n%s", text, &out)
				}
			}
			if got := tried.verdict(); !errors.Is(got, c.want) {
				t.Errorf("the verdict is %v, want %v", got, c.want)
			}
		})
	}
}
