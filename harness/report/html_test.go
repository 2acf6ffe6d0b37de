package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// real is a run of two real kernels, with a few of its scenarios.
func real(t testing.TB) Run {
	t.Helper()
	var records []*Record
	for _, name := range []string{"bullseye", "trixie"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		record, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return NewRun(records, true)
}

// write writes the run's page and parses it.
func write(t testing.TB, r Run) *html.Node {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteHTML(&out, Beside{Folders: foldersOf(r)}); err != nil {
		t.Fatal(err)
	}
	page, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// foldersOf are folders that the records could be in.
func foldersOf(r Run) (folders []string) {
	for i := range r.Records {
		folders = append(folders, "kernel-"+strconv.Itoa(i))
	}
	return folders
}

// find returns the elements below one of which something is true.
func find(n *html.Node, is func(*html.Node) bool) (found []*html.Node) {
	for below := range n.Descendants() {
		if below.Type == html.ElementNode && is(below) {
			found = append(found, below)
		}
	}
	return found
}

func named(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return n.Data == name }
}

func classed(name, class string) func(*html.Node) bool {
	return func(n *html.Node) bool {
		return n.Data == name && slices.Contains(strings.Fields(attribute(n, "class")), class)
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// textOf is what can be read of an element.
func textOf(n *html.Node) string {
	var out strings.Builder
	for below := range n.Descendants() {
		if below.Type == html.TextNode && below.Parent.Data != "style" && below.Parent.Data != "script" {
			out.WriteString(below.Data)
		}
	}
	return out.String()
}

// elements are those that a page of ours can have.
var elements = strings.Fields(`html head meta link title style body a header div p h1 h2 h3 h4 b i small svg rect path polygon circle
	g text desc ul li nav main section article table caption thead tbody tr th td details summary span form label input fieldset
	legend output figure figcaption pre mark code dialog button script`)

// holdSound holds what is true of every page, whatever the records say: there is no
// element and no script in it but its own, nothing to be fetched, and every link into
// the page leads somewhere.
func holdSound(t *testing.T, page *html.Node) {
	t.Helper()
	ids := map[string]int{}
	for _, n := range find(page, func(*html.Node) bool { return true }) {
		if !slices.Contains(elements, n.Data) {
			t.Errorf("there is an element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has a script in %s=%q", n.Data, a.Key, a.Val)
			case a.Key == "src", a.Key == "href" && (strings.Contains(a.Val, ":") && a.Val != "data:,"):
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
		if id := attribute(n, "id"); id != "" {
			ids[id]++
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d elements are called %s", n, id)
		}
	}
	for _, a := range find(page, named("a")) {
		if to, within := strings.CutPrefix(attribute(a, "href"), "#"); within && ids[to] == 0 {
			t.Errorf("a link leads to %s, which there is not", to)
		}
	}
	if scripts := find(page, named("script")); len(scripts) != 1 || scripts[0].FirstChild.Data != pageScript {
		t.Errorf("there are %d scripts, or it is another", len(scripts))
	}
}

func TestThePageTellsTheRun(t *testing.T) {
	run := real(t)
	page := write(t, run)
	holdSound(t, page)
	if got := textOf(find(page, named("h1"))[0]); got != "no regression" {
		t.Errorf("it begins with %q", got)
	}
	rows := find(find(page, classed("table", "grid"))[0], func(n *html.Node) bool { return n.Data == "tr" && attribute(n, "data-c") != "" })
	if len(rows) != 9 {
		t.Fatalf("the table has %d scenarios, want 9", len(rows))
	}
	for _, row := range rows {
		name := textOf(find(row, named("th"))[0])
		cells := find(row, named("td"))
		if change := class(run.change(1, name)); attribute(cells[1], "class") != change || attribute(row, "data-c") != change {
			t.Errorf("%s is shown as %s, want %s", name, attribute(cells[1], "class"), change)
		}
		if !strings.HasPrefix(textOf(cells[1]), marks[run.change(1, name)]) {
			t.Errorf("%s: colour alone tells of %q what changed", name, textOf(cells[1]))
		}
		for i, cell := range cells {
			if outcome := run.Records[i].find(name).outcome(); !strings.Contains(textOf(cell), outcome) {
				t.Errorf("%s on %s is shown as %q, want %q", name, run.Records[i].Kernel, textOf(cell), outcome)
			}
		}
	}
	for _, want := range []string{
		"the client's ACK of the FIN overtakes its FIN, on its way to the server",
		"the server in FIN_WAIT2 dropped the client's FIN, which the tlp sent again",
		"267.6 ms 207.5 ms of it waiting for the tail loss probe",
		"QEMU emulator version 7.2.22", "AMD EPYC", "virtual", "tcg", "5.10.0-46-cloud-amd64",
		"not listened to: kfree_skb",
		"gate run --baseline debian/bullseye debian/trixie --label-filter 'overtaken-fin && server-shutdown && ipv4 && !wire'",
	} {
		if !strings.Contains(textOf(page), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestThePageNamesItsParts(t *testing.T) {
	page := write(t, real(t))
	for _, th := range find(page, named("th")) {
		if attribute(th, "scope") == "" {
			t.Errorf("the heading %q does not say what it is the heading of", textOf(th))
		}
	}
	for _, svg := range find(page, named("svg")) {
		if attribute(svg, "aria-hidden") != "true" && attribute(svg, "role") != "img" {
			t.Errorf("a drawing is neither named nor hidden from who does not see it: %v", svg.Attr)
		}
	}
	for _, drawing := range find(page, classed("svg", "tcp-ladder")) {
		if told := find(drawing, named("desc")); len(told) != 1 || !strings.Contains(textOf(told[0]), "In the end: ") {
			t.Error("a ladder is not told in words")
		}
	}
	for _, input := range find(page, named("input")) {
		if input.Parent.Data != "label" {
			t.Error("an input has no label")
		}
	}
}

// Every scenario has the ladders of both kernels in the page, or says where they are.
func TestEveryScenarioHasItsLadders(t *testing.T) {
	run := real(t)
	for _, article := range find(write(t, run), func(n *html.Node) bool { return n.Data == "article" && attribute(n, "id") != "" }) {
		name := textOf(find(article, named("h3"))[0])
		links := 0
		for _, a := range find(article, named("a")) {
			if strings.HasPrefix(attribute(a, "href"), "kernel-") {
				links++
			}
		}
		want := 6 // on both kernels a ladder, a drawing and a capture
		if strings.HasPrefix(name, "behaviour/") {
			want = 2
		}
		if links != want {
			t.Errorf("%s has links to %d files, want %d", name, links, want)
		}
		switch drawn, texts := len(find(article, classed("svg", "tcp-ladder"))), len(find(article, named("figure"))); {
		case drawn+texts == 0 && !strings.Contains(textOf(article), "It went like"):
			t.Errorf("%s has no ladder", name)
		case run.change(1, name) == Improved && drawn != 1:
			t.Errorf("%s has %d drawings, want one of both kernels", name, drawn)
		case run.change(1, name) == Differs && len(find(article, named("mark"))) != 2:
			t.Errorf("%s: the first difference is not marked", name)
		}
	}
}

const evil = `</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>"'` + "\n```\n<b>&amp;"

// Nothing out of a record reaches the page but as text.
func TestNothingReachesThePageUnescaped(t *testing.T) {
	run := real(t)
	for _, r := range run.Records {
		r.Kernel = Kernel{Source: evil, Release: evil, Version: evil, Notes: []string{evil}}
		r.Clock, r.Accelerator, r.Incomplete, r.Damage = evil, evil, evil, []string{evil}
		r.Environment = &Environment{QEMU: evil, CPU: evil, Host: evil, Go: evil}
		r.Unheard = map[teardown.Source]string{evil: evil}
		for i := range r.Scenarios {
			s := &r.Scenarios[i]
			s.Name = s.Name[:1] + evil
			if i > 5 {
				s.Error, s.Skipped = evil, evil
			}
			for j := range s.Trials {
				trial := &s.Trials[j]
				trial.Why, trial.Unmet = []string{evil}, []string{evil}
				for k := range trial.Retransmissions {
					again := &trial.Retransmissions[k]
					again.Segment, again.Timer, again.Cause.By, again.Cause.State, again.Cause.Reason = evil, evil, evil, evil, evil
				}
				if trial.Exchange != nil {
					trial.Exchange.Client.Call, trial.Exchange.Server.Call = evil, evil
				}
			}
			for j := range s.Observations {
				s.Observations[j].Answer, s.Observations[j].Why, s.Observations[j].Exchange = evil, evil, []string{evil, evil}
			}
			if s.asksBehaviour() {
				s.Observed = evil
			}
		}
	}
	page := write(t, NewRun(run.Records, true))
	if !strings.Contains(textOf(page), evil) {
		t.Error("it does not show what the records say")
	}
	for _, n := range find(page, func(n *html.Node) bool { return n.Data == "script" || n.Data == "img" }) {
		if n.Data == "img" || n.FirstChild.Data != pageScript {
			t.Errorf("there is <%s>: %s", n.Data, textOf(n.Parent))
		}
	}
	var markdown bytes.Buffer
	if err := NewRun(run.Records, true).WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(unfolded(markdown.String()), "```\n") {
		if i%2 == 0 && strings.Contains(block, "<") {
			t.Errorf("gate.md has markup of a record's: %s", block)
		}
	}
}

func TestThePageOfARunWithoutABaseline(t *testing.T) {
	page := write(t, NewRun(real(t).Records, false))
	holdSound(t, page)
	if got := textOf(find(page, named("h1"))[0]); got != "played, and compared with nothing" {
		t.Errorf("it begins with %q", got)
	}
	if !strings.Contains(textOf(page), "gate run debian/trixie --label-filter 'queued-fin && server-shutdown && ipv4 && wire'") {
		t.Error("it does not say how to play a scenario again")
	}
}

// big is a run of ten kernels and three hundred scenarios, each of which has a real
// trial: every other kernel is an old one.
func big(t testing.TB) Run {
	t.Helper()
	pair := real(t).Records
	var records []*Record
	for k := range 10 {
		from := pair[k%2]
		r := *from
		r.Kernel.Source = "debian/kernel-" + strconv.Itoa(k)
		r.Scenarios = nil
		for n := 0; len(r.Scenarios) < 300; n++ {
			s := from.Scenarios[n%len(from.Scenarios)]
			s.Name += "/variant-" + strconv.Itoa(n)
			r.Scenarios = append(r.Scenarios, s)
		}
		slices.SortFunc(r.Scenarios, func(a, b Scenario) int { return strings.Compare(a.Name, b.Name) })
		records = append(records, &r)
	}
	return NewRun(records, true)
}

// sizeLimit is how big a page may be that is sent around.
const sizeLimit = 5 << 20

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func TestABigPageIsNotTooBig(t *testing.T) {
	var size counter
	run := big(t)
	if err := run.WriteHTML(&size, Beside{Folders: foldersOf(run)}); err != nil {
		t.Fatal(err)
	}
	if size > sizeLimit || size < 1<<20 {
		t.Errorf("10 kernels and 300 scenarios take %.1f MiB", float64(size)/(1<<20))
	}
}

// Where every scenario changed, not all ladders fit: the rest is left to the files.
func TestLaddersLeaveThePageInTime(t *testing.T) {
	run := real(t)
	for _, r := range run.Records {
		changed := r.find("queued-fin/server-shutdown/ipv4/wire")
		r.Scenarios = nil
		for n := range 300 {
			s := changed
			s.Name += "/variant-" + strconv.Itoa(n)
			if n%2 == 0 { // it goes a way of its own
				s.Trials = slices.Clone(s.Trials)
				s.Trials[0].ChallengeACKs = map[segment.Side]int{segment.Client: n}
			}
			r.Scenarios = append(r.Scenarios, s)
		}
	}
	var out bytes.Buffer
	if err := NewRun(run.Records, true).WriteHTML(&out, Beside{Folders: foldersOf(run)}); err != nil {
		t.Fatal(err)
	}
	count := func(words string) int { return strings.Count(out.String(), words) }
	drawn, alike, left := count(`class="tcp-ladder"`), count("It went like "), count("Its ladders are in the files")
	if out.Len() > sizeLimit || drawn < 50 || alike < 10 || left < 10 {
		t.Errorf("with %d drawings, %d that others stand for and %d left out, it has %.1f MiB", drawn, alike, left, float64(out.Len())/(1<<20))
	}
}

// BenchmarkPage writes the page of ten kernels and three hundred scenarios.
func BenchmarkPage(b *testing.B) {
	run := big(b)
	var size counter
	for b.Loop() {
		size = 0
		if err := run.WriteHTML(&size, Beside{Folders: foldersOf(run)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/(1<<20), "MiB")
}
