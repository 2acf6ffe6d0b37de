package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomega "github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/kernel"
	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/harness/teardown"
)

// Each server ends a connection by the call that its configuration is for, and whatever
// that is, the kernel loses nothing of what the client sends: not a FIN that its own ACK
// has overtaken, which kernels without "net: tcp: accept old ack during closing" drop
// where the server still holds its socket (795a7dfbc3d9).
var _ = Describe("A server that people run", func() {
	for _, alike := range startedAlike(slices.Concat(catalogue.All(), goCatalogue)) {
		Served(scenario.Manners, alike...)
	}
})

// startedAlike are places for the servers, those together that differ in nothing but what
// is asked of them: one server will do for those.
func startedAlike(servers []catalogue.Server) (together [][]place) {
	of := map[string]int{}
	for _, server := range servers {
		how := fmt.Sprint(server.Args, server.Env, server.Files)
		i, known := of[how]
		if !known {
			i = len(together)
			of[how], together = i, append(together, nil)
		}
		together[i] = append(together[i], place{Server: server})
	}
	return together
}

// calls are by which calls a server ends the connections of the catalogue's clients.
// Where a close() comes right behind a shutdown(), both may be seen as one.
var calls = map[catalogue.Ending][]string{
	catalogue.ShutdownWrite: {sock.ShutdownWrite.Name},
	catalogue.ShutdownClose: {scenario.ShutdownClose, sock.Close.Name},
	catalogue.ShutdownReset: {scenario.ShutdownReset, sock.CloseLingering(0).Name},
	catalogue.Close:         {sock.Close.Name},
	catalogue.Reset:         {scenario.CloseUnread},
}

// Served declares a spec for each of the manners at each of the places, which one server is
// started for: a client comes to the server, and the connection ends as a good kernel ends
// it. The specs have the place's name and the manner's.
func Served(manners []scenario.Manner, places ...place) {
	Describe(places[0].name(), Ordered, ContinueOnFailure, func() {
		running := &stand{}
		AfterAll(running.close)
		for _, p := range places {
			p.stand = running
			for _, manner := range manners {
				name := p.name() + "/" + string(manner)
				It(name, Label(strings.Split(name, "/")...), func(ctx SpecContext) {
					for range suite.Trials() {
						p.play(ctx, name, p.visitIn(manner))
					}
				})
			}
		}
	})
}

// play has a client come, and judges what comes of it.
func (p *place) play(ctx context.Context, name string, v scenario.Visit) {
	GinkgoHelper()
	entry := report.Entry{Name: name, Expected: teardown.Clean}
	if why := p.needsVirtualClock(v); why != nil && !suite.OnVirtualClock() {
		suite.Without(ctx, entry, &kernel.MissingCapability{Name: "a virtual clock", Err: why})
	}
	finding, err := p.visit(ctx, v)
	if err != nil {
		p.close()
		suite.Without(ctx, entry, err)
	}
	entry.Expected = finding.Owed
	if finding.Trial == nil {
		entry.Skipped = finding.Why.Error()
		suite.Record(entry)
		if !suite.Recording() {
			Expect(finding.Why).To(Equal(p.prevents()))
		}
		return
	}
	suite.Judge(entry, *finding.Trial, p.wants(v)...)
}

// needsVirtualClock is why the visit is not for a real clock; nil where it is.
func (p *place) needsVirtualClock(v scenario.Visit) error {
	switch {
	case v.TakesMinutes():
		return errors.New("it takes minutes on a real one")
	case p.hurried:
		return errors.New("on a real one the server's FIN may be sent again while it is held")
	}
	return nil
}

// visit has a client come, unless it is known already that the manner does not arise.
func (p *place) visit(ctx context.Context, v scenario.Visit) (exposure.Finding, error) {
	if p.unfit != nil && v.NeedsServerFirst() {
		return exposure.Finding{Manner: v.Manner, Owed: teardown.Clean, Why: p.unfit}, nil
	}
	site, err := p.open(ctx)
	if err != nil {
		return exposure.Finding{}, err
	}
	finding, err := exposure.Visit(ctx, site, v)
	if err != nil {
		return finding, fmt.Errorf("%w\n%s", err, site.Output())
	}
	if errors.Is(finding.Why, scenario.ErrNotFirst) || errors.Is(finding.Why, scenario.ErrClientWaits) {
		p.unfit = finding.Why // and will be, not by accident
	}
	return finding, nil
}

// prevents is why what takes both to close at once does not come about at the place; nil
// where it does.
func (p *place) prevents() error {
	switch {
	case p.Ends == catalogue.Second:
		return scenario.ErrNotFirst
	case p.visitor.waits:
		return scenario.ErrClientWaits
	}
	return nil
}

// wants are what a trial is to show of both programs.
func (p *place) wants(v scenario.Visit) []gomega.GomegaMatcher {
	switch {
	case v.Manner == scenario.HalfClosed || v.Manner == scenario.ClientGone:
		return nil // the client's FIN, or the lack of it, may call for something else
	case p.Ends == catalogue.Second:
		return []gomega.GomegaMatcher{CloseFirst(segment.Client)}
	}
	wants := slices.Clone(p.shows)
	if p.visitor.comes() {
		wants = append(wants, CloseBy(segment.Client, sock.Close.Name))
		if v.Manner == scenario.Undisturbed && !p.visitor.waits {
			return wants // its FIN may call for something else from the server, too
		}
	}
	return append(wants, CloseBy(segment.Server, calls[p.Ends]...))
}
