package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/finwait/finwait/harness/observe/events"
	"github.com/finwait/finwait/harness/teardown"
)

// recorder is the process's only one. It is opened when it is first asked for,
// which is dear, and stays open. That has to come before the first connection:
// sock_ops knows no older ones.
var recorder = sync.OnceValues(events.Open)

// Prepare does what takes long and is done once in a process: the kernel is asked to
// tell of its connections. Where it cannot be, the first trial will say so. Without
// Prepare the first trial takes that much longer.
func Prepare() { _, _ = recorder() }

// attending is what a benchmark turns off.
var attending = true

// attend has what both ends' kernels say of the connection from now on written
// down.
func (r *run) attend(ctx context.Context) error {
	if !attending {
		return nil
	}
	listening, err := recorder()
	if err != nil {
		return err
	}
	for _, a := range r.real() {
		cookie, err := a.conn.Cookie()
		if err == nil {
			err = r.watch(a, cookie, listening)
		}
		if err != nil {
			return err
		}
	}
	return r.sample(ctx)
}

// watch has what an end's kernel says of its socket written down.
func (r *run) watch(a *actor, cookie uint64, listening *events.Recorder) (err error) {
	if a.watch, err = listening.Watch(a.host, a.local, a.remote, cookie); err != nil {
		return err
	}
	r.onEnd(a.watch.Close)
	a.end.Sources = sources(listening.Missing())
	r.exchange.Unheard = reasons(listening.Missing())
	return nil
}

// sample has both ends' kernels asked from now on.
func (r *run) sample(ctx context.Context) (err error) {
	if r.sampler, err = r.startSampling(ctx); err == nil {
		r.onEnd(func() { _ = r.sampler.stop() })
	}
	return err
}

func sources(missing map[events.Source]error) []teardown.Source {
	heard := []teardown.Source{teardown.SockDiag}
	for _, s := range events.Sources {
		if missing[s] == nil {
			heard = append(heard, teardown.Source(s))
		}
	}
	return heard
}

func reasons(missing map[events.Source]error) map[teardown.Source]string {
	unheard := map[teardown.Source]string{}
	for source, err := range missing {
		unheard[teardown.Source(source)] = err.Error()
	}
	return unheard
}

// writeNotices puts what was said into the exchange. It comes when both hosts are
// done with every segment, so that nothing more is to be said of them.
func (r *run) writeNotices() error {
	if r.sampler == nil {
		return nil
	}
	if err := r.sampler.stop(); err != nil {
		return err
	}
	for _, a := range r.real() {
		recording, err := a.watch.Recording()
		if err != nil {
			return err
		}
		if recording.Lost > 0 {
			r.exchange.Doubts = append(r.exchange.Doubts,
				fmt.Sprintf("%d events were lost while the %v was listened to: there was no room for them, or the kernel left them out", recording.Lost, a.side))
		}
		a.end.Notices = r.sampler.notices[a.side]
		for _, e := range recording.Events {
			a.end.Notices = append(a.end.Notices, r.notice(e))
		}
		slices.SortStableFunc(a.end.Notices, func(a, b teardown.Notice) int { return int(a.At - b.At) })
	}
	return nil
}

// kinds are the same by other names.
var kinds = map[events.Kind]teardown.NoticeKind{
	events.StateChange:    teardown.StateNotice,
	events.Retransmission: teardown.ResentNotice,
	events.Timeout:        teardown.TimeoutNotice,
	events.Reset:          teardown.ResetNotice,
	events.Drop:           teardown.DropNotice,
}

func (r *run) notice(e events.Event) teardown.Notice {
	n := teardown.Notice{
		At: r.capture.Since(e.At), Source: teardown.Source(e.Source), Kind: kinds[e.Kind],
		From: string(e.Old), To: string(e.New), Timer: string(e.Timer),
		SndUna: e.SndUna, SndNxt: e.SndNxt, RcvNxt: e.RcvNxt,
		Reason: e.Reason, Seq: e.Seq, End: e.End, Flags: e.Flags,
	}
	if e.Error != 0 {
		n.Kind = teardown.UnsentNotice
	}
	if e.Segment != nil {
		n.Seq, n.End, n.Flags = e.Segment.Seq, e.Segment.End(), e.Segment.Flags
	}
	return n
}
