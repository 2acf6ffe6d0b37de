// Package explore runs a teardown in every order in which its calls can be made and
// its segments can arrive, and says how each order ends.
//
// A search decides what happens next, a stage makes it happen: package explore has
// both, and they know of each other only what this file says.
package explore

import (
	"context"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Stage begins executions of one teardown, each in a state that differs in nothing
// from the others'. Several may run at once.
type Stage interface {
	Begin(ctx context.Context) (Execution, error)
}

// An Execution is one run of a teardown, choice by choice. It is used by one
// goroutine.
type Execution interface {
	// Enabled are the choices that are possible now, faults among them, in the
	// order of [Choice.Compare]. It returns once the kernels are done with
	// everything that was done so far.
	Enabled(ctx context.Context) ([]Enabled, error)
	// Perform does what was chosen. The choice has to be one of those enabled.
	Perform(ctx context.Context, c Choice) error
	// End says how it stands, without waiting for a timer. It is called at most
	// once, and nothing is performed after it.
	End(ctx context.Context) (Result, error)
	// Close gives up what the execution holds. It is always called, and once.
	Close()
}

// An Enabled is a choice that is possible, and what it is about.
type Enabled struct {
	Choice Choice
	// Text is the segment in packetdrill's notation with relative numbers, as
	// [segment.Segment.String] writes it, or the call, such as "shutdown(SHUT_WR)".
	Text string
}

// A Result is how one order ended, without waiting for any timer.
type Result struct {
	// Outcome is Clean where both ends are through; Retransmitted where it now
	// depends on a retransmission timer; Reset where a RST ended it; Stuck where
	// an end is in a state without a timer that it cannot leave.
	Outcome teardown.Outcome
	// States are the ends' last states, as sock_diag says, with what tells a
	// mini-socket from a socket: "FIN_WAIT2 (timewait)", "TIME_WAIT", "CLOSE".
	States map[segment.Side]string
	// Paths are the states that each end was seen in, one after the other, from
	// ESTABLISHED on and named as in States; empty where they were not watched.
	Paths map[segment.Side][]string
	// Steps are what each choice was and what the ends sent in answer, a line
	// each, without anything that may differ from one execution to the next.
	Steps []string
	// Broken are the invariants that did not hold.
	Broken []string
}
