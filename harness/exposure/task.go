package exposure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// A Task is a server to try, as it is told to whoever runs on the kernel under test.
type Task struct {
	// Server starts the server, which then listens on Listen.
	Server program.Command `json:"server"`
	Listen netip.AddrPort  `json:"listen"`
	// Request is what each client sends; or Client is a client that comes in its place, if
	// it has Args.
	Request []byte          `json:"request,omitempty"`
	Client  program.Command `json:"client"`
	// Patience is as a visit's.
	Patience time.Duration `json:"patience_ns,omitempty"`
}

// errRealClock is why nothing is tried that takes minutes.
var errRealClock = errors.New("it takes minutes, and is tried only in a guest on a virtual clock")

// Run starts the server, has a client come to it in each manner that the clock allows,
// and stops it.
func (t Task) Run(ctx context.Context, virtual bool, found func(Finding) error) error {
	service := t.service()
	if !virtual {
		service.Noise = clock.ListenToNoise()
		defer service.Noise.Close()
	}
	site, err := service.Open(ctx)
	if err != nil {
		return err
	}
	defer site.Close()
	visit := scenario.Visit{Request: t.Request, Client: t.Client, Patience: t.Patience}
	for _, visit.Manner = range scenario.Manners {
		finding := Finding{Manner: visit.Manner, Owed: teardown.Clean, Why: errRealClock}
		if virtual || !visit.TakesMinutes() {
			if finding, err = Visit(ctx, site, visit); err != nil {
				return fmt.Errorf("%w\n%s", err, site.Output())
			}
		}
		if err := found(finding); err != nil {
			return err
		}
	}
	return nil
}

// Address is the one by which clients reach the server.
func (t Task) Address() (netip.AddrPort, error) { return t.service().Address() }

func (t Task) service() scenario.Service {
	s := scenario.Service{Family: topologies.IPv4, Command: t.Server, Listen: t.Listen}
	if t.Listen.Addr().Is6() {
		s.Family = topologies.IPv6
	}
	return s
}
