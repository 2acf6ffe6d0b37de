package matchers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// longestRTO is what a retransmission timeout is not doubled beyond (include/net/tcp.h,
// TCP_RTO_MAX).
const longestRTO = 120 * time.Second

// WaitFor succeeds where the side waited by that timer so many times, one after
// another: each time what the timer was set to is the duration to a jiffy, or not
// asked where that is 0, and it fired when a timer of the kernel's can (see
// teardown.Late).
func WaitFor(side segment.Side, timer string, series ...time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v wait by its %s timer for %v, to the jiffy", side, timer, series),
		met: func(t teardown.Trial) bool {
			waits := waitsBy(t, side, timer)
			if len(waits) != len(series) {
				return false
			}
			for i, w := range waits {
				if series[i] > 0 && !setTo(t, w, series[i]) || !onTime(t, w) {
					return false
				}
			}
			return true
		},
		shows: func(t teardown.Trial) string { return written(waitsBy(t, side, timer)) },
	}
}

// StayIn succeeds where the side was in the state for as long as those waits take
// together, from which it fell when the last was over.
func StayIn(side segment.Side, state string, waits ...time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v stay in %s for %v", side, state, waits),
		met: func(t teardown.Trial) bool {
			var least, most time.Duration
			for _, w := range waits {
				least, most = least+w, most+w+teardown.Late(w, t.Exchange.Jiffy)
			}
			for i, step := range t.Paths[side] {
				if step.State != state || i+1 == len(t.Paths[side]) {
					continue
				}
				left := t.Paths[side][i+1]
				stay := left.At - step.At
				return stay+step.Earlier >= least && stay-left.Earlier <= most
			}
			return false
		},
	}
}

// BackOff succeeds where the side waited by that timer, retransmit or probe, first for
// its RTO and then twice as long each time, up to two minutes, to the jiffy. A
// first retransmission by the TLP takes an RTO and doubles nothing (RFC 6298 section
// 5.5; net/ipv4/tcp_timer.c, tcp_retransmit_timer; tcp_output.c, tcp_send_loss_probe
// and tcp_send_probe0).
func BackOff(side segment.Side, timer string) types.GomegaMatcher {
	return BackOffWithin(side, timer, 0)
}

// BackOffWithin is BackOff where the last waits are cut to what is left of a
// TCP_USER_TIMEOUT since the side first waited twice as long (net/ipv4/tcp_timer.c,
// tcp_clamp_rto_to_user_timeout and tcp_clamp_probe0_to_user_timeout); 0 is none.
func BackOffWithin(side segment.Side, timer string, userTimeout time.Duration) types.GomegaMatcher {
	wish := fmt.Sprintf("to have the %v wait by its %s timer twice as long each time, to the jiffy", side, timer)
	if userTimeout > 0 {
		wish += fmt.Sprintf(", and no longer than %v in all", userTimeout)
	}
	return &matcher{
		wish: wish,
		met: func(t teardown.Trial) bool {
			waits := waitsBy(t, side, timer)
			doubling := firstDoubled(t, side, timer)
			if len(waits) <= doubling {
				return false
			}
			want := t.Exchange.End(side).RTO
			for i, w := range waits {
				if i >= doubling {
					want = min(2*want, longestRTO)
				}
				cut := want
				if userTimeout > 0 && i >= doubling {
					cut = min(cut, userTimeout-(w.At-waits[doubling].At))
				}
				if !setTo(t, w, cut) || !onTime(t, w) {
					return false
				}
			}
			return true
		},
		shows: func(t teardown.Trial) string { return written(waitsBy(t, side, timer)) },
	}
}

// GiveUpAfter succeeds where the side's kernel gave the connection up at the first
// expiry of that timer at which so much time had passed since the RTO, or the probe
// timer, was over for the first time, and at none before (net/ipv4/tcp_timer.c,
// retransmits_timed_out).
func GiveUpAfter(side segment.Side, timer string, limit time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v given up when its %s timer is over for the first time %v after it first was", side, timer, limit),
		met: func(t teardown.Trial) bool {
			waits := waitsBy(t, side, timer)
			first := firstDoubled(t, side, timer)
			if _, gaveUp := t.GivenUp[side]; !gaveUp || len(waits) <= first {
				return false
			}
			jiffy := t.Exchange.Jiffy
			for i, w := range waits[first:] {
				passed := w.At + w.Took - waits[first].At
				if last := first+i == len(waits)-1; last && passed < limit-jiffy || !last && passed > limit+jiffy {
					return false
				}
			}
			return true
		},
		shows: func(t teardown.Trial) string { return written(waitsBy(t, side, timer)) },
	}
}

// GiveUpAfterProbes succeeds where the side's kernel gave the connection up instead of
// probing the peer's window once more, having done so n times.
func GiveUpAfterProbes(side segment.Side, n int) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v given up after %d window probes", side, n),
		met: func(t teardown.Trial) bool {
			_, gaveUp := t.GivenUp[side]
			return gaveUp && len(waitsBy(t, side, "probe")) == n+1
		},
		shows: func(t teardown.Trial) string { return written(waitsBy(t, side, "probe")) },
	}
}

// GiveUpAtLongestWait succeeds where the side's kernel gave the connection up when that
// timer was over that could not be doubled any more, and at none before.
func GiveUpAtLongestWait(side segment.Side, timer string) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v given up when its %s timer has taken %v for the first time", side, timer, longestRTO),
		met: func(t teardown.Trial) bool {
			waits := waitsBy(t, side, timer)
			_, gaveUp := t.GivenUp[side]
			for i, w := range waits {
				if longest := setTo(t, w, longestRTO); longest != (i == len(waits)-1) {
					return false
				}
			}
			return gaveUp && len(waits) > 0
		},
		shows: func(t teardown.Trial) string { return written(waitsBy(t, side, timer)) },
	}
}

// PassThrough succeeds where the side went through these states, from the first closing
// call on, and through no others.
func PassThrough(side segment.Side, states ...string) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v go from %s", side, strings.Join(states, " to ")),
		met: func(t teardown.Trial) bool {
			return slices.EqualFunc(t.Paths[side], states, func(step teardown.Step, state string) bool { return step.State == state })
		},
	}
}

// firstDoubled is which of the waits by a timer is the first that is twice the RTO.
func firstDoubled(t teardown.Trial, side segment.Side, timer string) int {
	for _, r := range t.Retransmissions {
		if timer == "retransmit" && r.From == side && r.Timer == teardown.TLP {
			return 2
		}
	}
	return 1
}

// waitsBy are the side's waits by a timer that it did not take back.
func waitsBy(t teardown.Trial, side segment.Side, timer string) (waits []teardown.Wait) {
	for _, w := range t.Waits[side] {
		if w.Timer == timer && w.Took > 0 {
			waits = append(waits, w)
		}
	}
	return waits
}

// setTo reports whether a wait was to be for so long. Of the two ticks between which
// that is, each may be as old as a jiffy; sock_diag tells whole milliseconds.
func setTo(t teardown.Trial, w teardown.Wait, want time.Duration) bool {
	return (w.For - want).Abs() <= t.Exchange.Jiffy+time.Millisecond
}

// onTime reports whether the timer fired when it can. What set it is seen before it is
// set, so that it is never early.
func onTime(t teardown.Trial, w teardown.Wait) bool {
	jiffy := t.Exchange.Jiffy
	return w.Took >= w.For-jiffy-time.Millisecond && w.Took <= w.For+teardown.Late(w.For, jiffy)
}

// written are the waits as a failure shows them.
func written(waits []teardown.Wait) string {
	var out strings.Builder
	fmt.Fprintln(&out, "it waited in        by             for      it took")
	for _, w := range waits {
		fmt.Fprintf(&out, "          %-10s  %-10s %9.3f s  %9.3f s\n", w.State, w.Timer, w.For.Seconds(), w.Took.Seconds())
	}
	return out.String()
}
