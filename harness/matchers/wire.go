package matchers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// ReceiveFINFirst succeeds where the side, after its closing call, received the
// peer's FIN before it sent its own: its FIN had to wait.
func ReceiveFINFirst(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v receive a FIN between its closing call and its own FIN", side),
		met: func(t teardown.Trial) bool {
			end := t.Exchange.End(side)
			for _, seen := range end.Sightings {
				if seen.Flags.Has(segment.FIN) {
					return !seen.Sent && seen.At > end.CalledAt
				}
			}
			return false
		},
	}
}

// AcknowledgeSecondFIN succeeds where the side received its peer's FIN twice and
// the second drew a pure ACK: one came after it, and not only because the
// acknowledgement of the first had been put off until then (DelayedACKs).
func AcknowledgeSecondFIN(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v acknowledge a FIN when it comes for the second time", side),
		met: func(t teardown.Trial) bool {
			arrivals, acknowledgements, answered := 0, int64(0), false
			var end uint32
			for _, seen := range t.Exchange.End(side).Sightings {
				switch {
				case !seen.Sent && seen.Flags.Has(segment.FIN):
					arrivals, end = arrivals+1, seen.End()
				case seen.Sent && seen.IsPureACK() && arrivals > 0 && seen.Covers(end):
					acknowledgements++
					answered = answered || arrivals > 1
				}
			}
			return answered && acknowledgements > t.Counters[side]["DelayedACKs"]
		},
	}
}

// ResetBy succeeds where the side sent a RST, and its peer none.
func ResetBy(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to be reset by the %v alone", side),
		met: func(t teardown.Trial) bool {
			resets := func(s segment.Side) bool {
				return sent(t, s, func(seen segment.Segment) bool { return seen.Flags.Has(segment.RST) })
			}
			return resets(side) && !resets(side.Peer())
		},
	}
}

// UseTimestamps succeeds where a segment of either side, from the SYN on, had
// timestamps (RFC 7323).
func UseTimestamps() types.GomegaMatcher {
	return &matcher{
		wish: "to use timestamps",
		met: func(t teardown.Trial) bool {
			stamped := func(seen segment.Segment) bool { return seen.Options.HasTimestamps }
			return sent(t, segment.Client, stamped) || sent(t, segment.Server, stamped)
		},
	}
}

// sent reports whether a side sent such a segment, by its own tap.
func sent(t teardown.Trial, side segment.Side, such func(segment.Segment) bool) bool {
	return slices.ContainsFunc(t.Exchange.End(side).Sightings, func(seen segment.Sighting) bool {
		return seen.Sent && such(seen.Segment)
	})
}

// CloseBy succeeds where the side ended the connection by one of the calls, in the words
// of the exchange.
func CloseBy(side segment.Side, calls ...string) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v close by %s", side, strings.Join(calls, " or ")),
		met:  func(t teardown.Trial) bool { return slices.Contains(calls, t.Exchange.End(side).Call) },
	}
}

// CloseFirst succeeds where the side's FIN left before its peer's came.
func CloseFirst(side segment.Side) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the %v close first", side),
		met: func(t teardown.Trial) bool {
			for _, s := range t.Exchange.End(side).Sightings {
				if s.Flags.Has(segment.FIN) {
					return s.Sent
				}
			}
			return false
		},
	}
}
