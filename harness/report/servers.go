package report

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Served is a server of whose connections records tell.
type Served struct {
	// Name is program/configuration, as in the catalogue: "nginx/lingering-close-always".
	Name string
	// Package is Debian's, and Version that package's. A server of Go's standard library
	// has no package, and Go's version.
	Package, Version string
}

// WriteServers writes a page in GitHub's Markdown for those who ask whether their server
// loses FINs. The records are those of the suite specs/servers, one a kernel, the first
// that of a kernel that drops what is overtaken. An error names the record that tells of
// what is no server's.
func WriteServers(w io.Writer, servers []Served, records []*Record) error {
	if len(records) == 0 {
		return errors.New("write the page of servers: there is no record of a kernel")
	}
	p := serversPage{servers: slices.Clone(servers), records: records}
	slices.SortFunc(p.servers, func(a, b Served) int { return cmp.Compare(a.Name, b.Name) })
	if err := p.readNames(); err != nil {
		return fmt.Errorf("write the page of servers: %w", err)
	}
	p.introduce()
	p.writeServers()
	p.writeRest()
	p.writeClients()
	p.writeRemedies()
	p.writeRemarks()
	p.writeLadders()
	_, err := io.WriteString(w, p.out.String())
	return err
}

// A serversPage is the page of servers while it is written.
type serversPage struct {
	servers []Served // by name
	records []*Record
	// clients and remedies are what there is of both, each once and by name.
	clients, remedies []tryout
	out               strings.Builder
}

// A tryout is what a scenario of the suite specs/servers is about.
type tryout struct {
	// server is the name of one, program/configuration.
	server string
	// client is whose client came in the place of ours, or remedy what was done about a
	// loss; both are empty where it was the server alone.
	client, remedy string
	manner         scenario.Manner
}

const clientPart, remedyPart = "client-", "remedy-"

// parseTryout reads the name of a scenario: SERVER/MANNER, SERVER/client-NAME/MANNER or
// SERVER/remedy-NAME/MANNER.
func parseTryout(name string) (t tryout, err error) {
	parts := strings.Split(name, "/")
	if len(parts) == 4 {
		var isClient, isRemedy bool
		t.client, isClient = strings.CutPrefix(parts[2], clientPart)
		t.remedy, isRemedy = strings.CutPrefix(parts[2], remedyPart)
		switch {
		case isClient:
			t.remedy = ""
		case isRemedy:
			t.client = ""
		default:
			return t, fmt.Errorf("%q: %s is neither %sNAME nor %sNAME", name, parts[2], clientPart, remedyPart)
		}
	}
	if len(parts) != 3 && len(parts) != 4 {
		return t, fmt.Errorf("%q: want a server's program and configuration and the manner, with slashes between", name)
	}
	t.server = parts[0] + "/" + parts[1]
	t.manner = scenario.Manner(parts[len(parts)-1])
	if !slices.Contains(scenario.Manners, t.manner) {
		return t, fmt.Errorf("%q: there is no manner %s", name, t.manner)
	}
	return t, nil
}

// name is the scenario's.
func (t tryout) name() string {
	parts := []string{t.server, string(t.manner)}
	switch {
	case t.client != "":
		parts = slices.Insert(parts, 1, clientPart+t.client)
	case t.remedy != "":
		parts = slices.Insert(parts, 1, remedyPart+t.remedy)
	}
	return strings.Join(parts, "/")
}

// in is the same with another manner.
func (t tryout) in(m scenario.Manner) tryout {
	t.manner = m
	return t
}

// readNames finds out which clients and remedies the records tell of.
func (p *serversPage) readNames() error {
	for _, record := range p.records {
		for _, s := range record.Scenarios {
			t, err := parseTryout(s.Name)
			if err != nil {
				return fmt.Errorf("the record of %v: the scenario %w", record.Kernel, err)
			}
			if !slices.ContainsFunc(p.servers, func(known Served) bool { return known.Name == t.server }) {
				return fmt.Errorf("the record of %v: the scenario %q: there is no server %s", record.Kernel, s.Name, t.server)
			}
			switch {
			case t.client != "":
				p.clients = append(p.clients, t.in(""))
			case t.remedy != "":
				p.remedies = append(p.remedies, t)
			}
		}
	}
	byName := func(a, b tryout) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server), cmp.Compare(a.remedy, b.remedy),
			cmp.Compare(a.manner, b.manner))
	}
	for _, found := range []*[]tryout{&p.clients, &p.remedies} {
		slices.SortFunc(*found, byName)
		*found = slices.Compact(*found)
	}
	return nil
}

func (p *serversPage) introduce() {
	fmt.Fprintf(&p.out, `# Which servers lose FINs

When both ends of a connection close at once, the client's ACK of the server's FIN may overtake the client's own FIN. A kernel
without "net: tcp: accept old ack during closing" then drops that FIN if the server still holds its socket, and the connection
lasts until the client has sent it again. A server is *exposed* if it ends by %s and then waits for the client's
FIN, as in a lingering close. One that ends by %s has let go of its socket, and is not, unless it still had something to
send, or %s is set to more than 60 s.

%s writes this page. Clients came to each server on %s.

`, codeText("shutdown(SHUT_WR)"), codeText("close()"), codeText("net.ipv4.tcp_fin_timeout"), codeText("make servers-table"), p.kernels())
}

// kernels are those of the records, with the clocks that they ran on.
func (p *serversPage) kernels() string {
	var names []string
	clock := p.records[0].Clock
	same := !slices.ContainsFunc(p.records, func(r *Record) bool { return r.Clock != clock })
	for _, r := range p.records {
		name := cellText(r.Kernel.String())
		if !same {
			name += " (the " + cellText(r.Clock) + " clock)"
		}
		names = append(names, name)
	}
	text := names[0]
	if last := len(names) - 1; last > 0 {
		text = strings.Join(names[:last], ", ") + " and " + names[last]
	}
	if same {
		text += ", on the " + cellText(clock) + " clock"
	}
	return text
}

// writeRemarks says what kept some from being tried, and what else is to be known.
func (p *serversPage) writeRemarks() {
	run := Run{}
	for _, r := range p.records {
		tried := *r
		tried.Scenarios = slices.DeleteFunc(slices.Clone(r.Scenarios), notArisen)
		run.Records = append(run.Records, &tried)
	}
	remarks := run.remarksOnRecords()
	if len(remarks) == 0 {
		return
	}
	fmt.Fprint(&p.out, "## Remarks\n\n")
	fold(&p.out, "What could not be tried or told, and why", func() {
		for _, remark := range remarks {
			fmt.Fprintf(&p.out, "- %s\n", cellText(remark))
		}
	})
}

// writeLadders shows how a server ends: with a FIN that is overtaken, or, where it closes
// after its client, undisturbed.
func (p *serversPage) writeLadders() {
	first := p.records[0]
	fmt.Fprintf(&p.out, "## Ladders\n\nWhat happened on %s, in milliseconds since the first closing call.\n\n", cellText(first.Kernel.String()))
	for _, server := range p.servers {
		manner := scenario.FINOvertaken
		if p.closesSecond(tryout{server: server.Name}, segment.Server) {
			manner = scenario.Undisturbed
		}
		name := tryout{server: server.Name, manner: manner}.name()
		shown := first.find(name).Judged()
		if shown == nil || shown.Exchange == nil {
			fmt.Fprintf(&p.out, "%s: %s\n\n", cellText(name), cellText(inWords(first.find(name))))
			continue
		}
		fold(&p.out, html.EscapeString(name), func() {
			fmt.Fprintf(&p.out, "```\n%s```\n", fenced(ladder.Text(*shown)))
		})
	}
}

// closesSecond reports whether an end was seen to close only after its peer.
func (p *serversPage) closesSecond(of tryout, s segment.Side) bool {
	why := scenario.ErrNotFirst.Why
	if s == segment.Client {
		why = scenario.ErrClientWaits.Why
	}
	return slices.ContainsFunc(p.records, func(r *Record) bool {
		return slices.ContainsFunc(scenario.Manners, func(m scenario.Manner) bool { return r.find(of.in(m).name()).Skipped == why })
	})
}

// calls are those by which an end was seen to end connections, each once.
func (p *serversPage) calls(of tryout, s segment.Side) (calls []string) {
	for _, r := range p.records {
		for _, m := range []scenario.Manner{scenario.FINOvertaken, scenario.Undisturbed} {
			for _, t := range r.find(of.in(m).name()).Trials {
				if t.Exchange == nil || t.Outcome == teardown.Inconclusive {
					continue
				}
				if call := cmp.Or(t.Exchange.End(s).Call, "no call"); !slices.Contains(calls, call) {
					calls = append(calls, call)
				}
			}
		}
	}
	return calls
}
