package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Visit is what one client does at a service, and what becomes of its segments.
type Visit struct {
	Manner Manner
	// Request is what the client sends once it is connected.
	Request []byte
	// Client is a client of somebody else's, in the place of ours and its Request, which
	// opens one connection to the service; none if it has no Args.
	Client program.Command
	// Patience is how long the client, having sent its request, waits for the server to
	// end the connection before it does so itself; 0 is three seconds.
	Patience time.Duration
}

// A Manner is one of the ways in which a connection to a service ends.
type Manner string

// The manners. But for HalfClosed and ClientGone, the client reads what it is answered.
// When the server has made its FIN, that is kept from the client until the client has
// closed as well, by shutdown(SHUT_WR): so both close at once, whatever either takes.
const (
	// Undisturbed: the client closes when it has read the server's EOF, or when its
	// patience is over.
	Undisturbed Manner = "undisturbed"
	// FINOvertaken: both close at once, and the client's ACK of the server's FIN overtakes
	// the client's FIN.
	FINOvertaken Manner = "overtaken-fin"
	// DataOvertaken: the client goes on sending, and the ACK of the server's FIN overtakes
	// its data. It closes when the server has that.
	DataOvertaken Manner = "overtaken-data"
	// FINsCross: both close at once, and the FINs arrive in order.
	FINsCross Manner = "crossing-fins"
	// HalfClosed: the client closes with the last segment of its request, and then reads.
	HalfClosed Manner = "half-closed"
	// ClientGone: nothing of the client's arrives any more once the server has made its
	// FIN, or the client's patience is over. The recording goes on until the server's
	// kernel has forgotten the connection: minutes, or for good.
	ClientGone Manner = "client-gone"
)

// Manners are all of them, ClientGone last.
var Manners = []Manner{Undisturbed, FINOvertaken, DataOvertaken, FINsCross, HalfClosed, ClientGone}

// A NotArisenError says why a manner does not come about between a server and a client.
type NotArisenError struct{ Why string }

// Error implements error.
func (e *NotArisenError) Error() string { return e.Why }

// Why a manner may not come about.
var (
	ErrNotFirst    = &NotArisenError{"the server does not end the connection before its client does"}
	ErrClientWaits = &NotArisenError{"the client does not close before it has been told that the server has"}
	ErrStrays      = &NotArisenError{"the client opens more than one connection, and a trial is about one"}
	ErrNotOurs     = &NotArisenError{"it takes a client that does as it is told"}
	ErrNotOpen     = &NotArisenError{"the connection is over before the client has sent anything"}
)

// forGood is more than the longest wait that a kernel is known for: 16 minutes, of what is
// never acknowledged (tcp(7), tcp_retries2). What lasts longer, a program keeps.
const forGood = 20 * time.Minute

const defaultPatience = 3 * time.Second

func (v Visit) patience() time.Duration { return cmp.Or(v.Patience, defaultPatience) }

// NeedsServerFirst reports whether the manner is about a server that closes by itself.
func (v Visit) NeedsServerFirst() bool {
	return v.Manner == FINOvertaken || v.Manner == DataOvertaken || v.Manner == FINsCross
}

// TakesMinutes reports whether a visit may take minutes of the kernel's time.
func (v Visit) TakesMinutes() bool { return v.Manner == ClientGone }

// byProgram says whether the client is somebody else's.
func (v Visit) byProgram() bool { return len(v.Client.Args) > 0 }

// asks are the overtakings that the manner is about.
func (v Visit) asks() []teardown.Overtaking {
	switch v.Manner {
	case FINOvertaken:
		return []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN}}
	case DataOvertaken:
		return []teardown.Overtaking{{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindData}}
	}
	return nil
}

// permits are the overtakings that come of the server's FIN being held: what the server
// acknowledges meanwhile goes by it. Where it is the client that is to close first, that may
// be its FIN.
func (v Visit) permits() []teardown.Overtaking {
	by := []teardown.Overtaking{{From: segment.Server, Fast: segment.KindACK, Slow: segment.KindFIN}}
	if v.Manner == Undisturbed || v.Manner == HalfClosed {
		by = append(by, teardown.Overtaking{From: segment.Server, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN})
	}
	return by
}

// scenario is what of a visit the rest of a trial goes by.
func (v Visit) scenario(bed Scenario) Scenario {
	bed.Deadline = v.patience() + defaultDeadline
	if v.Manner == ClientGone {
		bed.UntilGone, bed.Deadline = []segment.Side{segment.Server}, forGood
	}
	return bed
}

// Visit has a client come, and judges how its connection ended. What the server and the
// kernel do, however bad, is an outcome. An error means that the harness could not do
// its work, or is a *NotArisenError; after any but that the site is good for nothing but
// to be closed.
func (s *Site) Visit(ctx context.Context, v Visit) (teardown.Trial, error) {
	fail := func(err error) (teardown.Trial, error) {
		return teardown.Trial{}, fmt.Errorf("%s: %w", v.Manner, err)
	}
	if v.byProgram() && (v.Manner == DataOvertaken || v.Manner == HalfClosed) {
		return fail(ErrNotOurs)
	}
	bed := *s.bed
	bed.Scenario = v.scenario(bed.Scenario)
	guest := &visitor{Visit: v, run: bed.newRun(), site: s}
	guest.exchange.Permitted = v.permits()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.onEnd(cancel)()
	exchange, err := guest.record(ctx, guest.arrive, guest.depart)
	if notArisen := new(NotArisenError); err != nil && !errors.As(err, &notArisen) {
		return fail(cmp.Or(context.Cause(ctx), err))
	}
	strays := guest.strays(ctx)
	if wrong := s.clear(ctx, slices.Concat(guest.real(), strays)); wrong != nil {
		return fail(cmp.Or(context.Cause(ctx), wrong))
	}
	switch {
	case err != nil && strays != nil:
		return fail(ErrStrays)
	case err != nil:
		return fail(err)
	case strays != nil: // whose segments are among those recorded
		exchange.Doubts = []string{ErrStrays.Why}
	}
	guest.tellCalls()
	return teardown.Judge(exchange), nil
}
