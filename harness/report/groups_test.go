package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/teardown"
)

func TestPatterns(t *testing.T) {
	all := []string{
		"abort/ipv4", "lost/client/ipv4", "lost/client/ipv6", "lost/server/ipv4", "lost/server/ipv6",
		"overtaken/close/ipv4", "overtaken/close/ipv6", "overtaken/shutdown/ipv4", "overtaken/shutdown/ipv6", "overtaken/shutdown-rdwr/ipv4",
	}
	for _, c := range []struct{ chosen, want string }{
		{"abort/ipv4", "abort/ipv4"},
		{"lost/client/ipv4 lost/client/ipv6 lost/server/ipv4 lost/server/ipv6", "lost/... (4)"},
		{"overtaken/shutdown/ipv4 overtaken/shutdown/ipv6", "overtaken/shutdown/... (2)"},
		{"overtaken/close/ipv4 overtaken/shutdown/ipv4 overtaken/shutdown/ipv6", "overtaken/close/ipv4, overtaken/shutdown/... (2)"},
		{"abort/ipv4 overtaken/shutdown-rdwr/ipv4", "abort/ipv4, overtaken/shutdown-rdwr/ipv4"},
	} {
		if got := strings.Join(patterns(strings.Fields(c.chosen), all), ", "); got != c.want {
			t.Errorf("%s is put as %q, want %q", c.chosen, got, c.want)
		}
	}
	some := slices.Concat(all, []string{"lost/client/bridged"})
	if got := patterns([]string{"lost/client/ipv4", "lost/client/ipv6"}, some); got[0] != "lost/client/... (2 of 3)" {
		t.Errorf("a part is put as %q", got)
	}
}

func TestGroupsAreWhatHappenedAlike(t *testing.T) {
	run := real(t)
	var told []string
	for _, g := range run.groups(1) {
		told = append(told, fmt.Sprintf("%d %s: %s / %s", len(g.Names), g.Change, g.Before, g.After))
	}
	want := `2 improved: retransmitted: the server in FIN_WAIT2 dropped the client's FIN, which the tlp sent again / clean
1 improved: retransmitted: the server in FIN_WAIT1 dropped the client's FIN, which the tlp sent again / clean
1 differs: dropped / accepted`
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Three hundred scenarios, all of which changed: it fits on a screen, and what is left
// out is counted. Of many candidates there is room for the verdicts alone.
func TestTheSummaryFitsOnAScreen(t *testing.T) {
	for _, candidates := range []int{1, 3, 9} {
		t.Run(fmt.Sprintf("%d candidates", candidates), func(t *testing.T) { holdSummary(t, candidates) })
	}
}

func holdSummary(t *testing.T, candidates int) {
	old, new := map[string][]teardown.Outcome{}, map[string][]teardown.Outcome{}
	for i := range 300 {
		name := fmt.Sprintf("family-%d/kind-%d/ipv4", i%40, i%7)
		if i%3 == 0 {
			name = fmt.Sprintf("overtaken-fin/a-name-as-long-as-it-can-be-and-even-longer-%d/ipv4", i)
		}
		old[name] = []teardown.Outcome{retransmitted}
		new[name] = []teardown.Outcome{[]teardown.Outcome{clean, stuck, inconclusive, teardown.Reset, teardown.TimedOut}[i%5]}
	}
	records := []*Record{record("debian/old", old)}
	for i := range candidates {
		records = append(records, record(fmt.Sprintf("debian/candidate-%d", i), new))
	}
	run := NewRun(records, true)
	var out bytes.Buffer
	if err := run.WriteSummary(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) > 36 {
		t.Errorf("it has %d lines:\n%s", len(lines), &out)
	}
	for _, line := range lines {
		if len(line) > 2*summaryWidth {
			t.Errorf("a line is too long: %s", line)
		}
	}
	for _, r := range records[1:] {
		if !strings.Contains(out.String(), "regression from debian/old (1.2.3) to "+r.Kernel.Source) {
			t.Errorf("the verdict on %s is missing", r.Kernel)
		}
	}
	if candidates == 3 && !strings.Contains(out.String(), "scenarios more that are not the same") {
		t.Errorf("what is left out is not counted:\n%s", &out)
	}
}

func TestTheSummaryOfARunWithoutABaseline(t *testing.T) {
	scenarios := map[string][]teardown.Outcome{}
	for i := range screenRows + 1 {
		scenarios[fmt.Sprintf("s-%d", i)] = []teardown.Outcome{clean}
	}
	scenarios["t"] = []teardown.Outcome{}
	r := record("debian/x", scenarios)
	r.Incomplete = "interrupted"
	var out bytes.Buffer
	if err := NewRun([]*Record{r}, false).WriteSummary(&out); err != nil {
		t.Fatal(err)
	}
	if want := "debian/x (1.2.3): the run is incomplete: interrupted\ndebian/x (1.2.3): 25 clean, 1 skipped\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

// However much changed, gate.md can be a comment.
func TestMarkdownFitsIntoAComment(t *testing.T) {
	var out bytes.Buffer
	if err := big(t).WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 65536 || !strings.Contains(out.String(), "in gate.html") {
		t.Errorf("it has %d octets", out.Len())
	}
}

// What a record says ends no block of gate.md that it is in.
func TestNothingLeavesItsBlockOfMarkdown(t *testing.T) {
	run := real(t)
	for _, r := range run.Records {
		for _, s := range r.Scenarios {
			for _, trial := range s.Trials {
				if trial.Exchange != nil {
					trial.Exchange.Client.Call = "\n```\n<b>"
				}
			}
		}
	}
	var out bytes.Buffer
	if err := run.WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(unfolded(out.String()), "```\n")
	for i, block := range blocks {
		if i%2 == 0 && strings.Contains(block, "<") {
			t.Errorf("there is markup of a record's: %s", block)
		}
	}
	if len(blocks) < 5 || !strings.Contains(out.String(), "<b>") {
		t.Errorf("there are only %d blocks:\n%s", len(blocks), &out)
	}
}
