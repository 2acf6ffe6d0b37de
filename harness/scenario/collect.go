package scenario

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/finwait/finwait/harness/capture"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/teardown"
)

// settleTime bounds what is left to do when a teardown has ended: to prove the
// recording complete.
const settleTime = 10 * time.Second

// collect ends the recording and asks the kernel about what is left. A teardown
// that was given up goes on meanwhile: the kernel is asked before and after the
// recording ends, until it gives the same answer twice. What ends the whole trial
// meanwhile is an error, and no doubt of the recording.
func (r *run) collect(whole context.Context) error {
	ctx, cancel := context.WithTimeout(whole, settleTime)
	defer cancel()
	before, err := r.interrogate()
	for err == nil {
		recording := r.capture.Stop(ctx)
		var after [2]testimony
		if after, err = r.interrogate(); err != nil {
			break
		}
		if whole.Err() != nil {
			return context.Cause(whole)
		}
		if ctx.Err() != nil {
			recording.Doubts = append(recording.Doubts, errors.New("the teardown did not come to rest while it was recorded"))
		}
		if reflect.DeepEqual(before, after) || ctx.Err() != nil {
			r.write(recording, after)
			return r.writeNotices()
		}
		before = after
	}
	return err
}

// write puts everything into the exchange.
func (r *run) write(recording capture.Recording, told [2]testimony) {
	doubts := recording.Doubts
	if r.disturb != nil {
		doubts = append(doubts, r.disturb.Fired())
		if told[0].counters["RetransSegs"]+told[1].counters["RetransSegs"] > 0 {
			if rto := r.leastRTO(); rto > 0 {
				doubts = append(doubts, r.disturb.KeptUp(rto))
			}
		}
	}
	for _, doubt := range doubts {
		if doubt != nil {
			r.exchange.Doubts = append(r.exchange.Doubts, doubt.Error())
		}
	}
	r.exchange.TapError = recording.Uncertainty
	for i, a := range r.actors() {
		a.end.Sightings = recording.Sightings[i]
		a.end.Socket, a.end.Counters, a.end.State = told[i].socket, told[i].counters, string(told[i].state)
	}
}

// leastRTO is the least that is known of the ends' RTOs: a socket that had gone by the time
// it was asked has told none.
func (r *run) leastRTO() time.Duration {
	client, server := r.exchange.Client.RTO, r.exchange.Server.RTO
	if client == 0 || server == 0 {
		return max(client, server)
	}
	return min(client, server)
}

// testimony is what the kernel says of one end.
type testimony struct {
	socket   *teardown.Socket // nil where no program holds it
	counters observe.Counters // those that moved
	state    observe.State
}

func (r *run) interrogate() (told [2]testimony, err error) {
	for i, a := range r.actors() {
		if !a.observed() {
			continue // it has no kernel to tell of it
		}
		if told[i], err = a.interrogate(); err != nil {
			return told, err
		}
	}
	return told, nil
}

// interrogate asks for the socket first: TCP_INFO waits for its lock, so that a
// segment that had come while the socket was busy has been dealt with.
func (a *actor) interrogate() (told testimony, err error) {
	if a.conn != nil && a.closing().Keeps {
		info, err := a.conn.Info()
		if err != nil {
			return told, err
		}
		told.socket = &teardown.Socket{Drops: info.Drops, Retransmissions: info.TCP.Total_retrans - a.resent}
	}
	counters, err := a.kernel.Counters()
	if err != nil {
		return told, err
	}
	told.counters = counters.Moved(a.before)
	told.state, err = a.kernel.StateOf(a.local, a.remote)
	return told, err
}
