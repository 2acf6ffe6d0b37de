package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// closelyFor is how long the client tries every jiffy to open a connection anew: longer
// than the second after which some of TIME_WAIT may be cut short
// (net/ipv4/tcp_ipv4.c, tcp_twsk_unique).
const closelyFor = 2 * time.Second

// reopen has the client open a connection anew, from the port that it had, until it is
// let, and aborts that.
func (r *run) reopen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longDeadline)
	defer cancel()
	found := &teardown.Reopening{}
	r.exchange.Reopening = found
	begin := clock.Now()
	for {
		tried := clock.Now()
		conn, err := sock.Dial(ctx, r.client.host, r.client.remote)
		if err == nil {
			found.Opened = r.capture.Since(tried)
			if _, err = conn.End(sock.CloseLingering(0)); err == nil && conn.Local != r.client.local {
				err = fmt.Errorf("the client opened a connection anew from %v, and had had %v: it is to have no other port", conn.Local, r.client.local)
			}
			return err
		}
		if !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("open a connection anew: %w", err)
		}
		found.Refused++
		found.LastRefused = r.capture.Since(tried)
		if err := r.client.awaitChance(ctx, tried.Sub(begin)); err != nil {
			return err
		}
	}
}

// awaitChance waits until the client may try again: for a jiffy in the beginning and
// when TIME_WAIT is to be over, and in between for a part of what has gone by.
func (a *actor) awaitChance(ctx context.Context, trying time.Duration) error {
	pause := clock.Jiffy()
	if trying > closelyFor {
		left, err := a.kernel.StatusOf(a.local, a.remote)
		if err != nil {
			return err
		}
		pause = max(pause, min(trying/50, left.Expires-pause))
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until the client may open a connection anew: %w", context.Cause(ctx))
	}
}
