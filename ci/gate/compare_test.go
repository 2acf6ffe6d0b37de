package main

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

// A fleet's nodes all call their kernel host, and each leaves its record in a folder of
// its own.
func TestManyRecordsAreHeldAgainstOne(t *testing.T) {
	t.Parallel()
	good := recordFile(t, "debian/good", teardown.Clean)
	fleet := t.TempDir()
	leave(t, filepath.Join(fleet, "node-a"), "host", "real", teardown.Clean)
	leave(t, filepath.Join(fleet, "node-b"), "host", "real", teardown.Stuck)
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want int
		says string
	}{
		"a folder":            {[]string{good, fleet}, exitRegression, "to host: 1 regressed"},
		"which one it was":    {[]string{good, fleet}, exitRegression, "node-a/host/record.json: no regression\n" + fleet + "/node-b/host/record.json: regression\n"},
		"one of the folder":   {[]string{filepath.Join(fleet, "node-b", "host", recordFileName), fleet}, exitNoRegression, "1 improved"},
		"none but itself":     {[]string{filepath.Join(fleet, "node-b"), filepath.Join(fleet, "node-b", "host")}, exitFailed, "no record but the baseline's"},
		"itself":              {[]string{good, good}, exitNoRegression, "no regression"},
		"one node":            {[]string{good, filepath.Join(fleet, "node-a")}, exitNoRegression, "no regression"},
		"a node as baseline":  {[]string{filepath.Join(fleet, "node-b"), filepath.Join(fleet, "node-a")}, exitNoRegression, "1 improved"},
		"many baselines":      {[]string{fleet, good}, exitFailed, "there are 2 records below " + fleet},
		"nothing":             {[]string{good, empty}, exitFailed, "there is no record.json below " + empty},
		"no folder":           {[]string{good, empty + "/none"}, exitFailed, "none: no such file"},
		"a map among records": {[]string{good, fleet, "x.map"}, exitFailed, "a map (FILE.map) with a map"},
		"three maps":          {[]string{"x.map", "y.map", "z.map"}, exitFailed, "two maps can be compared"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			page := filepath.Join(t.TempDir(), "page.html")
			status, stdout, stderr := gate(t, append([]string{"compare", "--html", page}, c.args...)...)
			g.Expect(status).To(Equal(c.want), stdout+stderr)
			g.Expect(stdout + stderr).To(ContainSubstring(c.says))
			_, err := os.Stat(page)
			g.Expect(err == nil).To(Equal(status != exitFailed), "the page is there, or is not, where it should be the other way")
		})
	}
}
