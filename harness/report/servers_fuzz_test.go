package report

import (
	"regexp"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

var tags = regexp.MustCompile(`<br>|</?details>|</?summary>`)

// Nothing that a record says is taken for Markdown or HTML of the page's.
func FuzzServersPage(f *testing.F) {
	for _, s := range []string{"close()", "a|b", "a\\|b\\", "`", "```\n# x\n", "<b>", "a\r| b | c |\n", "*x*_y_[z](w)"} {
		f.Add(s, "nginx/lingering-close-always/client-curl/overtaken-fin")
	}
	f.Fuzz(func(t *testing.T, said, name string) {
		r := New(Kernel{Source: said, Version: said}, said)
		open := ended(inconclusive, said)
		open.Why = []string{said}
		open.Exchange.Client.Call = said
		for _, e := range []Entry{
			{Name: "nginx/lingering-close-off/overtaken-fin", Expected: clean, Trial: ended(clean, said)},
			{Name: "nginx/lingering-close-off/undisturbed", Expected: clean, Trial: open},
			{Name: "nginx/lingering-close-off/half-closed", Expected: clean, Skipped: said},
			{Name: "nginx/lingering-close-off/client-gone", Expected: stuck, Trial: &teardown.Trial{
				Outcome: stuck, States: map[segment.Side]string{segment.Server: said},
			}},
		} {
			mustAdd(r, e)
		}
		if r.Add(Entry{Name: name, Expected: clean, Trial: ended(clean, said)}) != nil {
			t.Skip()
		}
		servers := []Served{{"nginx/lingering-close-off", "nginx", said}, {"nginx/lingering-close-always", said, said}}
		var out strings.Builder
		if err := WriteServers(&out, servers, []*Record{r, r}); err != nil {
			t.Skip()
		}
		checkMarkdown(t, out.String())
	})
}

// checkMarkdown looks for tables whose rows are not of one length, and for HTML that is
// not the page's.
func checkMarkdown(t *testing.T, page string) {
	t.Helper()
	escaped, code := regexp.MustCompile(`\\[[:punct:]]`), regexp.MustCompile("`[^`]*`")
	fence, width := false, 0
	for line := range strings.SplitSeq(strings.ReplaceAll(page, "\r", "\n"), "\n") {
		edge := strings.HasPrefix(line, "```")
		if fence = fence != edge; fence || edge {
			continue
		}
		if plain := tags.ReplaceAllString(code.ReplaceAllString(line, ""), ""); strings.ContainsAny(plain, "<>`") {
			t.Errorf("this is not the page's: %q", line)
		}
		cells := strings.Count(escaped.ReplaceAllString(line, ""), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			cells = 0
		case width > 0 && cells != width:
			t.Errorf("a row of %d cells below one of %d: %q", cells, width, line)
		}
		width = cells
	}
	if fence {
		t.Error("a block of code does not end")
	}
}
