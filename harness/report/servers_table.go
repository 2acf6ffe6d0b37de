package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// writeServers says of each server how it ends a connection, and what of its client's FIN
// is lost on each kernel.
func (p *serversPage) writeServers() {
	fmt.Fprintf(&p.out, `## Servers

The milliseconds are how much longer the connection lasted for the FIN that was dropped; %s means that no ACK could overtake it,
because one end closes only after the other.

`, none)
	rows := [][]string{p.heading("server", "configuration", "ends by")}
	for i, server := range p.servers {
		t := tryout{server: server.Name, manner: scenario.FINOvertaken}
		_, configuration, _ := strings.Cut(server.Name, "/")
		rows = append(rows, append([]string{p.program(i), cellText(configuration), p.endsBy(t, segment.Server)}, p.exposures(t)...))
	}
	p.table(rows)
}

// program names a server's program. Those of one program stand together, and the first
// names it.
func (p *serversPage) program(i int) string {
	server := p.servers[i]
	if i > 0 && programOf(p.servers[i-1]) == programOf(server) {
		return ""
	}
	source := "../harness/catalogue/" + programOf(server) + ".go"
	if server.Package == "" {
		source = "../specs/servers/go_test.go"
	}
	cell := fmt.Sprintf("[%s](%s)", cellText(programOf(server)), source)
	if version := strings.TrimSpace(server.Package + " " + server.Version); version != "" {
		cell += "<br>" + cellText(version)
	}
	return cell
}

func programOf(s Served) string {
	program, _, _ := strings.Cut(s.Name, "/")
	return program
}

// endsBy is the call by which an end closes, and whether it does so only after its peer.
func (p *serversPage) endsBy(of tryout, s segment.Side) string {
	var calls []string
	for _, call := range p.calls(of, s) {
		calls = append(calls, codeText(call))
	}
	text := cmp.Or(strings.Join(calls, " or "), "not known")
	if p.closesSecond(of, s) {
		return fmt.Sprintf("after the %v: %s", s.Peer(), text)
	}
	return text
}

// writeRest says what else a client may meet with. Configurations of a program with which
// it meets the same share a row.
func (p *serversPage) writeRest() {
	fmt.Fprintf(&p.out, `### Beside an overtaken FIN

Overtaken data is what a client still sends when the server has closed, if the ACK of the server's FIN overtakes it; a server that
has let go of its socket resets that client. FINs that cross arrive in order. A half-closed client has closed with its request, and
reads. Of a client that vanishes, the time is how long the server's kernel keeps the connection, to two digits and from the first
closing call on; %s if it had it still when the recording ended, twenty minutes later.

`, forGood)
	rows := [][]string{{"server", "configurations", "overtaken data", "FINs that cross", "half-closed client", "vanished client"}}
	begins := 0 // the program's first row
	for i, server := range p.servers {
		program := p.program(i)
		if program != "" {
			begins = len(rows)
		}
		t := tryout{server: server.Name}
		_, configuration, _ := strings.Cut(server.Name, "/")
		row := []string{
			program, cellText(configuration),
			p.onAll(t.in(scenario.DataOvertaken), inWords), p.onAll(t.in(scenario.FINsCross), inWords),
			p.onAll(t.in(scenario.HalfClosed), inWords), p.onAll(t.in(scenario.ClientGone), keptInWords),
		}
		same := slices.IndexFunc(rows[begins:], func(other []string) bool { return slices.Equal(other[2:], row[2:]) })
		if same < 0 {
			rows = append(rows, row)
		} else {
			rows[begins+same][1] += ", " + row[1]
		}
	}
	p.table(rows)
}

// writeClients says which clients bring about what a server is exposed to.
func (p *serversPage) writeClients() {
	if len(p.clients) == 0 {
		return
	}
	fmt.Fprint(&p.out, `## Clients

Whether a FIN can be lost is also up to the client: of one that closes only when it has been told that the server has, there is no FIN
that the ACK could overtake.

`)
	rows := [][]string{p.heading("client", "server", "ends by", "FINs that cross")}
	for _, t := range p.clients {
		rows = append(rows, append([]string{
			cellText(t.client), cellText(t.server), p.endsBy(t, segment.Client), p.onAll(t.in(scenario.FINsCross), inWords),
		}, p.exposures(t.in(scenario.FINOvertaken))...))
	}
	p.table(rows)
}

// writeRemedies says what helps.
func (p *serversPage) writeRemedies() {
	if len(p.remedies) == 0 {
		return
	}
	fmt.Fprint(&p.out, `## Remedies

What became of the loss on each kernel, set beside how it is without the remedy. A kernel that drops nothing needs none.

`)
	rows := [][]string{p.heading("server", "remedy", "tried with")}
	for _, t := range p.remedies {
		row := []string{cellText(t.server), cellText(t.remedy), cellText(string(t.manner))}
		without := tryout{server: t.server, manner: t.manner}
		for _, r := range p.records {
			row = append(row, cellText(remedied(r.find(without.name()), r.find(t.name()))))
		}
		rows = append(rows, row)
	}
	p.table(rows)
}

// heading is a row with a cell for each kernel.
func (p *serversPage) heading(cells ...string) []string {
	for _, r := range p.records {
		cells = append(cells, cellText(r.Kernel.String()))
	}
	return cells
}

// table writes rows of which the first is the heading.
func (p *serversPage) table(rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(&p.out, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&p.out, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	fmt.Fprintln(&p.out)
}

// exposures says of each kernel whether it exposes a server to a loss.
func (p *serversPage) exposures(of tryout) (cells []string) {
	for _, r := range p.records {
		s := r.find(of.name())
		words := cellText(inWords(s))
		switch l := lossOf(s); {
		case l.lost > 0:
			words = "**exposed**, " + l.cost()
		case l.known && s.Outcome == teardown.Clean:
			words = "not exposed"
		case l.known:
			words = "not exposed, " + words
		}
		cells = append(cells, words)
	}
	return cells
}

// onAll is what came of a tryout in a cell: once where it is the same on all kernels.
func (p *serversPage) onAll(of tryout, inWords func(Scenario) string) string {
	var words []string
	kernels := map[string][]string{}
	for _, r := range p.records {
		w := inWords(r.find(of.name()))
		if kernels[w] == nil {
			words = append(words, w)
		}
		kernels[w] = append(kernels[w], r.Kernel.Name())
	}
	if len(words) == 1 {
		return cellText(words[0])
	}
	var lines []string
	for _, w := range words {
		lines = append(lines, cellText(strings.Join(kernels[w], ", ")+": "+w))
	}
	return strings.Join(lines, "<br>")
}
