package scenario

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/topologies"
)

// A Service is a server that somebody else has written, and where it is to be tried.
type Service struct {
	// Family is the version of IP by which clients come.
	Family topologies.Family
	// Command starts the server, in the foreground.
	Command program.Command
	// Listen is where it then listens: at any of its addresses, or at the one that it has
	// on the link (topologies.ServerAddress).
	Listen netip.AddrPort
	// Client and Server say what the kernels of the two ends are set to: their Sysctls,
	// RTOMin and AcksAtOnce. Nothing else of them counts.
	Client, Server Behaviour
	// Noise is as a scenario's. Where it is not nil, the server's kernel sends nothing again
	// before ten seconds are over, unless Server says otherwise; and never by a TLP.
	Noise *clock.Noise
}

// A Site is a service at work, at one end of a wire; clients come from the other.
type Site struct {
	service Service
	bed     *testbed
	stage   wiredStage
	server  *program.Program
	address netip.AddrPort
}

// patient has a server's kernel not send its FIN again while it is kept from the client,
// for some fifty milliseconds, and on a real clock for as much longer as the machine is
// late: not by a TLP, which may come within two jiffies behind data, nor too soon by the
// RTO. What is set otherwise stays so.
func (b Behaviour) patient(realClock bool) Behaviour {
	const earlyRetrans = "net.ipv4.tcp_early_retrans"
	sysctls := map[string]string{earlyRetrans: "0"}
	maps.Copy(sysctls, b.Sysctls)
	b.Sysctls = sysctls
	if realClock {
		b.RTOMin = cmp.Or(b.RTOMin, 10*time.Second)
	}
	return b
}

// startingTime bounds how long a server may take until it listens.
const startingTime = 2 * time.Minute

// Open starts a service and returns when it listens. The Site has to be closed.
func (s Service) Open(ctx context.Context) (*Site, error) {
	address, err := s.Address()
	if err != nil {
		return nil, err
	}
	s.Server = s.Server.patient(s.Noise != nil)
	bed, err := Scenario{
		Family: s.Family, Client: s.Client, Server: s.Server, Disturbance: Wire(nil), Noise: s.Noise,
	}.build(ctx)
	if err != nil {
		return nil, err
	}
	site := &Site{service: s, bed: bed, stage: bed.stage.(wiredStage), address: address}
	if err := site.start(ctx); err != nil {
		site.Close()
		return nil, err
	}
	return site, nil
}

// Address is the one by which clients reach the service. An error says why they do not.
func (s Service) Address() (netip.AddrPort, error) {
	own, err := topologies.ServerAddress(s.Family)
	if err != nil {
		return netip.AddrPort{}, err
	}
	at := s.Listen.Addr()
	switch {
	case s.Listen.Port() == 0:
		return netip.AddrPort{}, fmt.Errorf("the address %v to listen on has no port", s.Listen)
	case at.IsLoopback():
		return netip.AddrPort{}, fmt.Errorf("nobody reaches %v over a link: have the server listen on all addresses, or on %v", s.Listen, own)
	case !at.IsUnspecified() && at != own:
		return netip.AddrPort{}, fmt.Errorf("the server has no address %v: have it listen on all that it has, or on %v", at, own)
	}
	return netip.AddrPortFrom(own, s.Listen.Port()), nil
}

func (s *Site) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startingTime)
	defer cancel()
	if s.server, err = program.Start(s.bed.pair.Server.Host, s.service.Command); err != nil {
		return err
	}
	return s.server.AwaitListening(ctx, s.service.Listen)
}

// AwaitAnswer returns when the server's answer to a request begins as it is to: some
// listen before they are ready. It has client after client come until then, because no
// event tells of that.
func (s *Site) AwaitAnswer(ctx context.Context, request, answer []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startingTime)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		r := s.bed.newRun()
		said, err := s.ask(ctx, r, request, len(answer))
		wrong := s.clear(ctx, r.real())
		switch {
		case ctx.Err() != nil:
			return s.unready(ctx, said, answer, err)
		case err != nil && !byServer(err):
			return fmt.Errorf("ask whether the server is ready: %w", err)
		case wrong != nil:
			return wrong
		case err == nil && bytes.Equal(said, answer):
			return nil
		}
		select {
		case <-again.C:
		case <-s.server.Done():
			return fmt.Errorf("before it was ready, %w", s.server.EndedEarly())
		case <-ctx.Done():
			return s.unready(ctx, said, answer, err)
		}
	}
}

// unready says what the server said last, and why, if ctx has ended because it took too long.
func (s *Site) unready(ctx context.Context, said, answer []byte, err error) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("wait until the server answers: %w", cause)
	}
	wrong := fmt.Errorf("the server listens, and does not answer as it is to: its answer begins with %.60q, want %q\n%s", said, answer, s.server.Output())
	return errors.Join(wrong, err)
}

// byServer reports whether a server that is not ready may have brought about an error of
// its client's: it, or its kernel, ends the connection.
func byServer(err error) bool {
	for _, end := range []error{
		io.EOF, io.ErrUnexpectedEOF, unix.ECONNREFUSED, unix.ECONNRESET, unix.EPIPE, unix.ENOTCONN, unix.ETIMEDOUT,
	} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// ask sends a request, and returns what the answer begins with.
func (s *Site) ask(ctx context.Context, r *run, request []byte, octets int) ([]byte, error) {
	defer r.cleanUp()
	if err := r.dial(ctx, s.address); err != nil {
		return nil, err
	}
	r.server.local, r.server.remote = r.client.remote, r.client.local
	if err := r.client.conn.Write(request); err != nil {
		return nil, err
	}
	said := make([]byte, octets)
	err := r.client.conn.ReadFull(said)
	return said, err
}

// Close stops the server, with all that it has started, and takes down what it was in.
func (s *Site) Close() {
	if s.server != nil {
		s.server.Stop()
	}
	s.bed.close()
}

// Output is what the server said last.
func (s *Site) Output() string { return s.server.Output() }

// onEnd has end called, with the reason, if the server ends before stop is called.
func (s *Site) onEnd(end context.CancelCauseFunc) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		select {
		case <-s.server.Done():
			end(fmt.Errorf("while a client was there, %w", s.server.EndedEarly()))
		case <-stopped:
		}
	}()
	return func() { close(stopped) }
}

// clear makes the site ready for another client: what is left of the connection is
// ended, at the ends given, and another recording begins. What a kernel keeps of it in
// TIME_WAIT does nothing by itself, and the next client has another port.
func (s *Site) clear(ctx context.Context, ends []*actor) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := s.stage.Wire.Lost(); err != nil {
		return err
	}
	s.stage.Wire.Arm()
	for _, a := range ends {
		if err := a.awaitRest(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(s.bed.capture.Stop(ctx).Doubts...); err != nil {
		return err
	}
	return s.bed.capture.Restart(ctx)
}

// awaitRest ends what is left of an actor's connection, and returns when its kernel no
// longer knows it, or keeps it in TIME_WAIT. No event tells of that.
func (a *actor) awaitRest(ctx context.Context) error {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		_ = a.kernel.Destroy(a.local, a.remote) // a kernel may not be able to
		switch state, err := a.kernel.StateOf(a.local, a.remote); {
		case err != nil:
			return err
		case state == observe.Closed || state == "TIME_WAIT":
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the %s's kernel still knows the connection of the client before: %w", a.host.Name, ctx.Err())
		}
	}
}
