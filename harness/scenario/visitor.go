package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/wire"
)

// A visitor is a client at a service.
type visitor struct {
	Visit
	*run
	site *Site
	// ended is what had become of each end's socket when it had made its FIN; nil of one
	// that was not asked for then.
	ended [2]*parting
	// spoken is closed when all of the request has been handed to the kernel.
	spoken chan struct{}
}

// secondWords is how many octets the client has left to say where its data is to be
// overtaken.
const secondWords = 1000

// holdFIN keeps the server's FIN from the client until that has closed as well, or
// until it is known by which call the server has.
const holdFIN = "maybe hold server fin until released"

// arrive has the client connect and send its request, and both kernels tell of the
// connection.
func (v *visitor) arrive(ctx context.Context) error {
	for _, a := range v.actors() {
		var err error
		if a.before, err = a.kernel.Counters(); err != nil {
			return err
		}
	}
	v.disturb = atWork{v.site.stage.Wire}
	connect := v.connect
	if v.byProgram() {
		connect = v.send
	}
	if err := connect(ctx); err != nil {
		return err
	}
	if err := v.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		return over(sightings) || slices.ContainsFunc(sightings[segment.Server], func(s segment.Sighting) bool {
			return !s.Sent && s.Length > 0 || s.Flags.Has(segment.FIN)
		})
	}); err != nil {
		return fmt.Errorf("wait for the request, or for an end to close: %w", err)
	}
	// A server that is told of a connection only with its first data (tcp(7),
	// TCP_DEFER_ACCEPT) has had no socket until now.
	v.capture.Stop(ctx)
	for _, a := range v.actors() {
		if err := a.readRTO(); err != nil {
			return err
		}
	}
	return v.sample(ctx)
}

// watchSocket has an end's kernel tell of its socket.
func (v *visitor) watchSocket(a *actor) error {
	listening, err := recorder()
	if err != nil {
		return err
	}
	found, err := a.kernel.Inspect(a.local, a.remote)
	if err != nil {
		return err
	}
	if found.State == observe.Closed {
		return ErrNotOpen
	}
	return v.watch(a, found.Cookie, listening)
}

// A beginning is the first of what is written to it, up to a limit in octets.
type beginning struct {
	octets []byte
	limit  int
}

func (b *beginning) Write(octets []byte) (int, error) {
	b.octets = append(b.octets, octets[:min(len(octets), b.limit-len(b.octets))]...)
	return len(octets), nil
}

// arm puts rules in place of those before, add beside them, and release ends holds.
func (v *visitor) arm(texts ...string) error { return with(v.site.stage.Wire.Arm, texts...) }

func (v *visitor) add(texts ...string) error { return with(v.site.stage.Wire.Add, texts...) }

func (v *visitor) release(texts ...string) error { return with(v.site.stage.Wire.Release, texts...) }

func with(do func(...wire.Rule), texts ...string) error {
	var rules []wire.Rule
	for _, text := range texts {
		rule, err := wire.ParseRule(text)
		if err != nil {
			return err
		}
		rules = append(rules, rule)
	}
	do(rules...)
	return nil
}

// depart brings about what the manner is about.
func (v *visitor) depart(ctx context.Context) error {
	patient, stop := context.WithTimeout(ctx, v.patience())
	defer stop()
	if v.Manner == HalfClosed { // its client has closed already
		patient = ctx
	}
	ended, err := v.awaitFIN(patient, v.server)
	if err != nil {
		return err
	}
	if !ended && v.NeedsServerFirst() {
		return ErrNotFirst
	}
	switch v.Manner {
	case HalfClosed:
		return v.release(holdFIN)
	case ClientGone:
		return v.arm("maybe drop every client any", "maybe drop every server any")
	case Undisturbed:
		if v.byProgram() {
			return v.seeOff(ctx, ended)
		}
		return v.leaveInTurn(ctx, ended)
	}
	if p := v.ended[segment.Server]; p == nil || p.then.State == observe.Closed { // it was reset
		return v.release(holdFIN, holdClientFIN)
	}
	if err := v.catchUp(ctx); err != nil {
		return err
	}
	v.exchange.Asked = v.asks()
	if v.byProgram() {
		return v.seeOffAtOnce(ctx)
	}
	return v.leaveAtOnce(ctx)
}

// catchUp waits until the client's kernel is done with all that the server sent before its
// FIN: its ACK of that is not to overtake what will be held of the client.
func (v *visitor) catchUp(ctx context.Context) error {
	if err := v.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		return over(sightings) || caughtUp(sightings)
	}); err != nil {
		return fmt.Errorf("wait until the client has all that the server sent before its FIN: %w", err)
	}
	v.capture.Stop(ctx)
	return nil
}

// caughtUp reports whether the client's tap has seen what the server sent right before its
// FIN.
func caughtUp(sightings [2][]segment.Sighting) bool {
	for _, fin := range sightings[segment.Server] {
		if fin.Sent && fin.Flags.Has(segment.FIN) {
			return slices.ContainsFunc(sightings[segment.Client], func(s segment.Sighting) bool {
				return !s.Sent && !segment.Before(s.End(), fin.Seq)
			})
		}
	}
	return false
}

// awaitFIN waits for an end to make its FIN, and asks what its socket is then. Ended is
// false where it has made none by the end of ctx, or by the time at which its peer's came
// to it all the same, having been sent again; and true where a RST came in its place.
func (v *visitor) awaitFIN(ctx context.Context, a *actor) (ended bool, err error) {
	finished, late := false, false
	err = v.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		first := slices.IndexFunc(sightings[a.side], func(s segment.Sighting) bool {
			return s.Flags.Has(segment.FIN) && (s.Sent || v.NeedsServerFirst())
		})
		finished = first >= 0 && sightings[a.side][first].Sent
		late = first >= 0 && !finished
		return finished || late || over(sightings)
	})
	switch {
	case late, errors.Is(err, context.DeadlineExceeded):
		return false, a.readRTO()
	case err != nil:
		return false, fmt.Errorf("wait for the %v to end the connection: %w", a.side, err)
	case !finished || a.conn != nil:
		return true, nil
	}
	p, err := a.part(ctx)
	v.ended[a.side], a.end.RTO = p, cmp.Or(p.first.RTO, a.end.RTO)
	return true, err
}

// readRTO reads that of an end which is somebody else's program, and goes on. One that is
// over, or that its program has closed, tells none.
func (a *actor) readRTO() error {
	if a.conn != nil {
		return nil
	}
	socket, err := a.kernel.Inspect(a.local, a.remote)
	a.end.RTO = cmp.Or(socket.RTO, a.end.RTO)
	return err
}

// leaveInTurn has our client close after the server, or before it where the server has
// not ended the connection.
func (v *visitor) leaveInTurn(ctx context.Context, serverEnded bool) error {
	if !serverEnded {
		if err := v.end(ctx, v.client); err != nil {
			return err
		}
		if _, err := v.awaitFIN(ctx, v.server); err != nil {
			return err
		}
		return v.release(holdFIN)
	}
	if err := v.release(holdFIN); err != nil {
		return err
	}
	answered := func(sightings [2][]segment.Sighting) bool { return over(sightings) || finAcknowledged(sightings) }
	if err := v.capture.Wait(ctx, answered); err != nil {
		return fmt.Errorf("wait for the server's FIN to be acknowledged: %w", err)
	}
	return v.end(ctx, v.client)
}

// leaveAtOnce has our client end its part before the server's FIN comes to it.
func (v *visitor) leaveAtOnce(ctx context.Context) error {
	rules := map[Manner][]string{
		FINOvertaken:  {"hold client fin until client ack-of-fin", "release server fin when client fin comes"},
		DataOvertaken: {"hold client data until client ack-of-fin", "release server fin when client data comes"},
		FINsCross:     {"release server fin when client fin comes"},
	}[v.Manner]
	if err := v.add(rules...); err != nil {
		return err
	}
	if v.Manner == DataOvertaken {
		return v.goOn(ctx)
	}
	if err := v.end(ctx, v.client); err != nil {
		return err
	}
	return v.awaitServersFIN(ctx)
}

// awaitServersFIN waits until the server's FIN has come to the client, which the client's
// own segment is to have brought about: a RST may have come instead.
func (v *visitor) awaitServersFIN(ctx context.Context) error {
	if err := v.capture.Wait(ctx, func(sightings [2][]segment.Sighting) bool {
		return over(sightings) || slices.ContainsFunc(sightings[segment.Client], func(s segment.Sighting) bool {
			return !s.Sent && s.Flags.Has(segment.FIN)
		})
	}); err != nil {
		return fmt.Errorf("wait for the server's FIN to come to the client: %w", err)
	}
	return v.release(holdFIN)
}

// goOn has the client say more before the server's FIN comes to it, and close when it
// has been told that this has arrived.
func (v *visitor) goOn(ctx context.Context) error {
	said := make(chan error, 1)
	v.client.program.Go(func() {
		<-v.spoken // else these words would be the request's last
		said <- v.client.unlessGone(v.client.conn.Write(make([]byte, secondWords)))
	})
	select {
	case err := <-said:
		if err != nil {
			return err
		}
	case <-ctx.Done(): // the server takes no more, and does not say so
		return ctx.Err()
	}
	if err := v.awaitServersFIN(ctx); err != nil {
		return err
	}
	told := func(sightings [2][]segment.Sighting) bool {
		return over(sightings) || toldOf(sightings[segment.Client], len(v.Request)+secondWords)
	}
	if err := v.capture.Wait(ctx, told); err != nil {
		return fmt.Errorf("wait for the client's data to be acknowledged: %w", err)
	}
	return v.end(ctx, v.client)
}

// connect has our own client connect and speak.
func (v *visitor) connect(ctx context.Context) error {
	if err := v.arm(holdFIN); err != nil {
		return err
	}
	err := v.dial(ctx, v.site.address)
	if errors.Is(err, unix.ECONNRESET) {
		return ErrNotOpen
	}
	if err != nil {
		return err
	}
	v.server.local, v.server.remote = v.client.remote, v.client.local
	v.capture.Stop(ctx) // the server's kernel is done with the handshake
	info, err := v.client.conn.Info()
	if err != nil {
		return err
	}
	v.client.end.RTO, v.client.resent = time.Duration(info.TCP.Rto)*time.Microsecond, info.TCP.Total_retrans
	for _, a := range v.actors() {
		if err := v.watchSocket(a); err != nil {
			return err
		}
	}
	v.speak()
	return nil
}

// speak has our client's program send its request, and read at the same time. A server
// need not read it all.
func (v *visitor) speak() {
	v.spoken = make(chan struct{})
	v.client.end.Reads = true
	v.client.program.Go(func() {
		defer close(v.spoken)
		if v.Manner != HalfClosed {
			_ = v.client.conn.Write(v.Request) // the reader is told of an error as well
			return
		}
		if v.client.conn.WriteMore(v.Request) == nil {
			_ = v.end(context.Background(), v.client)
		}
	})
	v.client.program.Go(func() {
		answer := beginning{limit: 200}
		v.readInto(v.client, &answer)
		v.client.end.Heard = strings.ToValidUTF8(string(answer.octets), "\ufffd")
	})
}
