package report

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const (
	shutdownWrite = "shutdown(SHUT_WR)"
	closing       = "close()"
)

// ended is a trial in which both ends closed, the server by a call.
func ended(o teardown.Outcome, call string) *teardown.Trial {
	t := &teardown.Trial{Outcome: o, Exchange: &teardown.Exchange{}}
	t.Exchange.Server.Call, t.Exchange.Client.Call = call, shutdownWrite
	if o == teardown.Inconclusive {
		t.Why = []string{"the taps did not see the handshake"}
	}
	return t
}

// lossy is one in which the client sent something again, because of somebody.
func lossy(call, by string, delays ...time.Duration) *teardown.Trial {
	t := ended(teardown.Retransmitted, call)
	for _, delay := range delays {
		t.Retransmissions = append(t.Retransmissions, teardown.Retransmission{
			From: segment.Client, FIN: true, Delay: delay, Cause: teardown.Cause{By: by},
		})
	}
	return t
}

// vanished is one whose client was gone.
func vanished(o teardown.Outcome, kept time.Duration) *teardown.Trial {
	t := ended(o, closing)
	if kept > 0 {
		t.GivenUp = map[segment.Side]time.Duration{segment.Server: kept}
	}
	t.States = map[segment.Side]string{segment.Server: "ESTABLISHED"}
	return t
}

func recordOf(k Kernel, trials map[string][]*teardown.Trial) *Record {
	r := New(k, "virtual")
	for name, list := range trials {
		for _, t := range list {
			mustAdd(r, Entry{Name: name, Expected: clean, Trial: t})
		}
	}
	return r
}

type trials = []*teardown.Trial

var (
	oldKernel   = Kernel{Source: "debian/bullseye", Version: "5.10.262-1"}
	fixedKernel = Kernel{Source: "debian/trixie", Version: "6.12.118-1"}
	twoOfNginx  = []Served{{"nginx/lingering-close-off", "nginx", "1.22.1-9"}, {"nginx/lingering-close-always", "nginx", "1.22.1-9"}}
)

// pageOf is the page, and the cells of the rows of its tables, by their first cells that
// are not empty.
func pageOf(t *testing.T, servers []Served, records ...*Record) (page string, rows [][]string) {
	t.Helper()
	var out strings.Builder
	if err := WriteServers(&out, servers, records); err != nil {
		t.Fatal(err)
	}
	return out.String(), tables(out.String())
}

func tables(page string) (rows [][]string) {
	for line := range strings.Lines(page) {
		if text, found := strings.CutPrefix(strings.TrimSuffix(line, " |\n"), "| "); found && !strings.HasPrefix(text, "---") {
			rows = append(rows, strings.Split(text, " | "))
		}
	}
	return rows
}

func TestServersPage(t *testing.T) {
	g := NewWithT(t)
	old := recordOf(oldKernel, map[string][]*teardown.Trial{
		"nginx/lingering-close-always/undisturbed":    {ended(clean, shutdownWrite)},
		"nginx/lingering-close-always/overtaken-fin":  {lossy(shutdownWrite, "server", 206*ms)},
		"nginx/lingering-close-always/overtaken-data": {lossy(shutdownWrite, "server", 204*ms)},
		"nginx/lingering-close-always/client-gone":    {vanished(teardown.TimedOut, 65300*ms)},
		"nginx/lingering-close-off/overtaken-fin":     {ended(clean, closing)},
		"nginx/lingering-close-off/overtaken-data":    {ended(teardown.Reset, closing)},
		"nginx/lingering-close-off/client-gone":       {vanished(stuck, 0)},

		"nginx/lingering-close-always/client-curl/overtaken-fin": {lossy(shutdownWrite, "server", 205*ms)},

		"nginx/lingering-close-always/remedy-lingering-close-off/overtaken-fin": {ended(clean, closing)},
		"nginx/lingering-close-always/remedy-rto-min-50ms/overtaken-fin":        {lossy(shutdownWrite, "server", 52*ms)},
		"nginx/lingering-close-off/remedy-fin-timeout-120/overtaken-fin":        {lossy(closing, "server", 207*ms)},
	})
	fixed := recordOf(fixedKernel, map[string][]*teardown.Trial{
		"nginx/lingering-close-always/overtaken-fin":  {ended(clean, shutdownWrite)},
		"nginx/lingering-close-always/overtaken-data": {ended(clean, shutdownWrite)},
		"nginx/lingering-close-off/overtaken-fin":     {ended(clean, closing)},
		"nginx/lingering-close-off/overtaken-data":    {ended(teardown.Reset, closing)},
		"nginx/lingering-close-off/crossing-fins":     {ended(clean, closing)},

		"nginx/lingering-close-always/remedy-lingering-close-off/overtaken-fin": {ended(clean, closing)},
	})
	for _, m := range []string{"undisturbed", "overtaken-fin"} {
		mustAdd(fixed, Entry{Name: "nginx/lingering-close-always/client-go/" + m, Expected: clean, Skipped: scenario.ErrClientWaits.Why})
	}
	mustAdd(fixed, Entry{Name: "nginx/lingering-close-always/client-go/half-closed", Expected: clean, Skipped: scenario.ErrNotOurs.Why})
	page, rows := pageOf(t, twoOfNginx, old, fixed)
	g.Expect(page).NotTo(ContainSubstring("## Remarks"), "nothing was missed")
	g.Expect(page).To(ContainSubstring("on debian/bullseye (5.10.262-1) and debian/trixie (6.12.118-1), on the virtual clock."))

	const nginx = "[nginx](../harness/catalogue/nginx.go)<br>nginx 1.22.1-9"
	kernels := []string{"debian/bullseye (5.10.262-1)", "debian/trixie (6.12.118-1)"}
	g.Expect(rows).To(Equal([][]string{
		append([]string{"server", "configuration", "ends by"}, kernels...),
		{nginx, "lingering-close-always", "`shutdown(SHUT_WR)`", "**exposed**, 206 ms", "not exposed"},
		{"", "lingering-close-off", "`close()`", "not exposed", "not exposed"},

		{"server", "configurations", "overtaken data", "FINs that cross", "half-closed client", "vanished client"},
		{
			nginx, "lingering-close-always", "debian/bullseye: sent again after 204 ms<br>debian/trixie: clean", "not played", "not played",
			"debian/bullseye: 65 s<br>debian/trixie: not played",
		},
		{
			"", "lingering-close-off", "reset", "debian/bullseye: not played<br>debian/trixie: clean", "not played",
			"debian/bullseye: “for good”, in ESTABLISHED<br>debian/trixie: not played",
		},

		append([]string{"client", "server", "ends by", "FINs that cross"}, kernels...),
		{"curl", "nginx/lingering-close-always", "`shutdown(SHUT_WR)`", "not played", "**exposed**, 205 ms", "not played"},
		{"go", "nginx/lingering-close-always", "after the server: not known", "not played", "not played", "–"},

		append([]string{"server", "remedy", "tried with"}, kernels...),
		{"nginx/lingering-close-always", "lingering-close-off", "overtaken-fin", "helps", "changes nothing: clean"},
		{
			"nginx/lingering-close-always", "rto-min-50ms", "overtaken-fin", "it is lost all the same, but costs less: 52 ms instead of 206 ms",
			"not played; without it clean",
		},
		{
			"nginx/lingering-close-off", "fin-timeout-120", "overtaken-fin",
			"makes it worse: sent again after 207 ms, and without it clean", "not played; without it clean",
		},
	}))
	_, ladders, _ := strings.Cut(page, "## Ladders")
	g.Expect(ladders).To(ContainSubstring("<details><summary>nginx/lingering-close-always/overtaken-fin</summary>\n\n```\n"))
	g.Expect(ladders).To(ContainSubstring("<details><summary>nginx/lingering-close-off/overtaken-fin</summary>\n\n```\n"))
}

// Whatever kept a server from being tried is said, and is not taken for its being safe.
func TestServersThatWereNotTried(t *testing.T) {
	g := NewWithT(t)
	r := recordOf(oldKernel, nil)
	mustAdd(r, Entry{Name: "nginx/lingering-close-off/overtaken-fin", Expected: clean, Skipped: "the running kernel lacks /usr/sbin/nginx"})
	mustAdd(r, Entry{Name: "nginx/lingering-close-always/overtaken-fin", Expected: clean, Error: "the server ended before it was ready"})
	mustAdd(r, Entry{Name: "nginx/lingering-close-off/undisturbed", Expected: clean, Trial: ended(inconclusive, closing)})
	page, rows := pageOf(t, twoOfNginx, r)
	g.Expect(rows[1][2:]).To(Equal([]string{"not known", "failed"}))
	g.Expect(rows[2][2:]).To(Equal([]string{"not known", "skipped"}))
	g.Expect(page).To(ContainSubstring("skipped because the running kernel lacks /usr/sbin/nginx"))
	g.Expect(page).To(ContainSubstring("failed because the server ended before it was ready"))
	g.Expect(page).To(ContainSubstring("nginx/lingering-close-off/overtaken-fin: skipped\n"), "in the place of a ladder")
	g.Expect(page).NotTo(ContainSubstring("## Clients"))
	g.Expect(page).NotTo(ContainSubstring("## Remedies"))
}

func TestAServerThatClosesSecond(t *testing.T) {
	g := NewWithT(t)
	r := recordOf(oldKernel, map[string][]*teardown.Trial{"go/keep-alive/undisturbed": {ended(clean, closing)}})
	for _, m := range []string{"overtaken-fin", "overtaken-data", "crossing-fins"} {
		mustAdd(r, Entry{Name: "go/keep-alive/" + m, Expected: clean, Skipped: scenario.ErrNotFirst.Why})
	}
	page, rows := pageOf(t, []Served{{Name: "go/keep-alive", Version: "go1.26.8"}}, r)
	g.Expect(rows[1]).To(Equal([]string{"[go](../specs/servers/go_test.go)<br>go1.26.8", "keep-alive", "after the client: `close()`", "–"}))
	g.Expect(rows[3][2:]).To(Equal([]string{"–", "–", "not played", "not played"}))
	g.Expect(page).To(ContainSubstring("<summary>go/keep-alive/undisturbed</summary>"))
	g.Expect(page).NotTo(ContainSubstring("## Remarks"), "nothing was missed")
}

// Of configurations with which a client meets the same, the page speaks once, but not of
// two programs.
func TestConfigurationsThatAreAlikeShareARow(t *testing.T) {
	g := NewWithT(t)
	servers := append([]Served{{"redis/quit", "redis-tools", "7.0.15"}, {"nginx/keep-alive-off", "nginx", "1.22.1-9"}}, twoOfNginx...)
	r := recordOf(oldKernel, map[string][]*teardown.Trial{
		"nginx/lingering-close-off/overtaken-data":    {ended(teardown.Reset, closing)},
		"nginx/lingering-close-always/overtaken-data": {ended(clean, shutdownWrite)},
		"nginx/keep-alive-off/overtaken-data":         {ended(teardown.Reset, closing)},
		"redis/quit/overtaken-data":                   {ended(teardown.Reset, closing)},
	})
	_, rows := pageOf(t, servers, r)
	var alike [][]string
	for _, row := range rows[6:] {
		alike = append(alike, row[1:3])
	}
	g.Expect(alike).To(Equal([][]string{
		{"keep-alive-off, lingering-close-off", "reset"}, {"lingering-close-always", "clean"}, {"quit", "reset"},
	}))
}

func TestServersPageRefuses(t *testing.T) {
	for name, c := range map[string]struct{ scenario, want string }{
		"an unknown server": {"nginx/elsewhere/overtaken-fin", `debian/bullseye (5.10.262-1): the scenario "nginx/elsewhere/overtaken-fin": there is no server nginx/elsewhere`},
		"another manner":    {"nginx/lingering-close-off/ipv4", `"nginx/lingering-close-off/ipv4": there is no manner ipv4`},
		"another part":      {"nginx/lingering-close-off/ipv4/overtaken-fin", "ipv4 is neither client-NAME nor remedy-NAME"},
		"another suite":     {"try/overtaken-fin", "want a server's program and configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := WriteServers(new(strings.Builder), twoOfNginx, []*Record{recordOf(oldKernel, map[string][]*teardown.Trial{c.scenario: {ended(clean, "")}})})
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
	NewWithT(t).Expect(WriteServers(new(strings.Builder), twoOfNginx, nil)).To(MatchError(ContainSubstring("no record")))
}

func TestTwoClocksAreTold(t *testing.T) {
	r := recordOf(fixedKernel, nil)
	r.Clock = "real"
	page, _ := pageOf(t, twoOfNginx, recordOf(oldKernel, nil), r)
	NewWithT(t).Expect(page).To(ContainSubstring("on debian/bullseye (5.10.262-1) (the virtual clock) and debian/trixie (6.12.118-1) (the real clock).\n"))
}

// The page leads to where the servers are configured.
func TestServersPageLeadsSomewhere(t *testing.T) {
	g := NewWithT(t)
	servers := []Served{{Name: "go/close", Version: "go1.26.8"}}
	for _, s := range catalogue.All() {
		servers = append(servers, Served{s.Name, s.Package, "1"})
	}
	page, _ := pageOf(t, servers, recordOf(oldKernel, nil))
	links := regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(page, -1)
	g.Expect(len(links)).To(BeNumerically(">", 5))
	for _, link := range links {
		_, err := os.Stat(path.Join("../../docs", link[1]))
		g.Expect(err).NotTo(HaveOccurred())
	}
}

func TestTryoutsHaveTheirNames(t *testing.T) {
	for _, name := range []string{"nginx/a/overtaken-fin", "nginx/a/client-curl/undisturbed", "nginx/a/remedy-b-c/client-gone"} {
		parsed, err := parseTryout(name)
		if err != nil || parsed.name() != name {
			t.Errorf("%s becomes %+v (%v)", name, parsed, err)
		}
	}
}
