package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

func TestExport(t *testing.T) {
	record := report.New(report.Kernel{Source: "debian/x", Release: "1.2.3"}, "virtual")
	for _, e := range []report.Entry{
		{Name: "some/scenario", Trial: &teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{}}},
		{Name: "some/scenario", Trial: &teardown.Trial{Outcome: teardown.Stuck, Exchange: &teardown.Exchange{}}},
		{Name: "try/undisturbed", Trial: &teardown.Trial{Outcome: teardown.Clean, Exchange: &teardown.Exchange{}}},
		{Name: "never/played", Skipped: "the running kernel lacks sch_netem"},
	} {
		e.Expected = teardown.Clean
		if err := record.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "record.json")
	if err := replace(path, jsonOf(record)); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := gate(t, "export", path, "some/scenario")
	if status != exitNoRegression {
		t.Fatalf("it exits %d: %s", status, stderr)
	}
	ng, err := pcapgo.NewNgReader(strings.NewReader(stdout), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if about := ng.SectionInfo().Comment; !strings.HasPrefix(about, "some/scenario: stuck\n") {
		t.Errorf("what it wrote says %q, want the trial that the scenario was judged by", about)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{path, "no/such"}, "has no scenario no/such"},
		{[]string{path, "never/played"}, "never/played was not tried: the running kernel lacks sch_netem"},
		{[]string{path, "some/scenario", "--format", "gif"}, `--format "gif": there are packetdrill and pcapng`},
		{[]string{path, "some/scenario", "--format", "packetdrill"}, "write a packetdrill script: the record does not say how the server was set up"},
		{[]string{path, "try/undisturbed", "--format", "packetdrill"}, "try/undisturbed cannot become a script"},
		{[]string{path, "scenario"}, "has no scenario scenario: it has some/scenario\n"},
		{[]string{filepath.Dir(path), "some/scenario"}, "is a folder: name a record in it, " + path},
		{[]string{path + "x", "some/scenario"}, "no such file"},
	} {
		status, stdout, stderr := gate(t, append([]string{"export"}, c.args...)...)
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("gate export %q exits %d and says %q, want %d and %q", c.args, status, stderr, exitFailed, c.want)
		}
	}
}
