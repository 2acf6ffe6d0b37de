package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/forge"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// ForgeClient puts a client of package forge in the place of the real one. The
// server closes; when its FIN comes, the client sends the acknowledgement of it
// first, and then a FIN as if that had been made before: the one overtakes the
// other, without anything that delays. The client does not send its FIN again.
// Where the server refuses it, the trial ends there, as Stuck.
//
// The scenario's Client and ServerFirst have to be left as they are.
func ForgeClient() Disturbance { return forgery{} }

type forgery struct{}

func (forgery) Available() error { return nil }

func (forgery) Asks() []teardown.Overtaking {
	return []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
}

func (forgery) Build(l *lab.Lab, family topologies.Family) (Stage, error) {
	pair, err := topologies.NewForged(l, family)
	return forgedStage{pair}, err
}

// forgedStage has nothing to install: the client does it all.
type forgedStage struct{ pair topologies.Pair }

func (s forgedStage) Ends() topologies.Pair { return s.pair }

func (s forgedStage) Install(_, _ netip.AddrPort) (Installed, error) { return s, nil }

func (forgedStage) Idle() (bool, error) { return true, nil }

func (forgedStage) Fired() error { return nil }

func (forgedStage) KeptUp(time.Duration) error { return nil }

func (forgedStage) Watch(func(error)) {}

// dial opens the connection, by the client's kernel or by hand.
func (r *run) dial(ctx context.Context, to netip.AddrPort) error {
	if _, byHand := r.stage.(forgedStage); !byHand {
		conn, err := sock.Dial(ctx, r.client.host, to)
		if err == nil {
			r.client.take(conn)
			r.onEnd(r.client.abandon)
		}
		return err
	}
	if !reflect.ValueOf(r.Client).IsZero() || r.ServerFirst {
		return errors.New("the client is forged: the scenario's Client and ServerFirst say nothing to it, leave them out")
	}
	var err error
	if r.forged, err = forge.Dial(ctx, r.pair.Client, r.pair.Server, to); err == nil {
		r.onEnd(r.forged.Abort)
	}
	return err
}

// request sends the client's request.
func (r *run) request() error {
	if r.forged != nil {
		return r.forged.Write(RequestSize)
	}
	return r.send(r.client, RequestSize)
}

// readResponse reads the server's response.
func (r *run) readResponse(ctx context.Context) error {
	if r.forged != nil {
		return r.forged.Read(ctx, ResponseSize)
	}
	return r.receive(r.client, ResponseSize)
}

// errRefused ends a trial in which the server has refused the forged FIN.
var errRefused = errors.New("the forged FIN was not accepted")

// closeForged has the server close and the forged client answer. A reset in
// between is for the taps to tell.
func (r *run) closeForged(ctx context.Context) error {
	if err := r.end(ctx, r.server); err != nil {
		return err
	}
	r.startReaders()
	if err := r.acknowledgeThenFIN(ctx); err != nil && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("the forged client: %w", err)
	}
	return nil
}

// acknowledgeThenFIN waits for the server's FIN, sends the ACK of it, and only
// then a FIN that acknowledges as little as if it had been made before the
// server's came. It returns errRefused where the answer asks for the FIN again.
func (r *run) acknowledgeThenFIN(ctx context.Context) error {
	theirs, err := r.forged.Await(ctx, func(s segment.Segment) bool { return s.Flags.Has(segment.FIN) })
	if err != nil {
		return err
	}
	fin := segment.Segment{Flags: segment.FIN | segment.ACK, Seq: r.forged.SndNxt, Ack: theirs.Seq}
	ack := segment.Segment{Flags: segment.ACK, Seq: fin.End(), Ack: theirs.End()}
	r.client.end.Call, r.client.end.CalledAt = "ACK, then FIN", r.capture.Since(clock.Now())
	for _, s := range []segment.Segment{ack, fin} {
		if err := r.forged.Send(s); err != nil {
			return err
		}
	}
	answer, err := r.forged.Await(ctx, segment.Segment.IsPureACK)
	if err == nil && !answer.Covers(fin.End()) {
		err = errRefused
	}
	return err
}
