// Package behaviour asks the running kernel questions about how it ends TCP
// connections, or keeps them, to which kernels give different answers. But for the one
// about old ACKs, which finwait was made for, none is wrong. Each is answered by an
// experiment, never by a version number: an answer has been seen on the wire, and the
// kernel's counters and sockets agree with it.
package behaviour

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/topologies"
)

// A Question is something about a kernel that an experiment answers.
type Question struct {
	// Name is stable: words with hyphens, "close-after-repeated-data", and where the
	// question is put over IPv6, too, "…/ipv6".
	Name string
	// Text is the question, a sentence.
	Text string
	// Change is what made kernels differ; nil where none is known.
	Change *Change
	// Answers are all that there are.
	Answers []Answer
	// Alone is true where the experiment uses up what all connections of the
	// machine share, so that no other may run at the same time.
	Alone bool

	family     topologies.Family // of what the peers speak; empty for IPv4
	experiment func(*stage) (words string)
}

// An Answer is what a kernel may do.
type Answer struct {
	// Words are a few, which reports show.
	Words string
	// Means says it in a sentence.
	Means string
}

// An Observation is what one experiment came to.
type Observation struct {
	// Answer is the words of one of the question's answers; empty where the
	// experiment was not conclusive.
	Answer string `json:"answer,omitempty"`
	// Why says what the experiment did not show, or which witnesses contradict one
	// another.
	Why string `json:"why,omitempty"`
	// Exchange is what happened, a line each: the segments, in the notation of
	// package segment, and the system calls between them.
	Exchange []string `json:"exchange,omitempty"`
}

// Text is the observation in lines: what happened, and what it came to.
func (o Observation) Text() string {
	var out strings.Builder
	for _, line := range o.Exchange {
		fmt.Fprintf(&out, "  %s\n", line)
	}
	if o.Answer != "" {
		fmt.Fprintln(&out, o.Answer)
	} else {
		fmt.Fprintf(&out, "inconclusive: %s\n", o.Why)
	}
	return out.String()
}

// enough is more than an experiment takes, which waits for no timer much longer than
// a second.
const enough = 20 * time.Second

var errEndless = fmt.Errorf("the experiment was not over after %v", enough)

// Ask makes the experiment, in a lab of its own that is taken down before it returns.
// What the kernel does, however odd, is an Observation; an error means that the
// harness could not do its work, and is or wraps a *kernel.MissingCapability where
// the kernel lacks something that the experiment needs. Ask needs CAP_SYS_ADMIN and
// CAP_NET_ADMIN.
func (q Question) Ask(ctx context.Context) (Observation, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, enough, errEndless)
	defer cancel()
	a := &attempt{ctx: ctx, built: lab.New(), family: cmp.Or(q.family, topologies.IPv4)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.built.Close()
		// All that is sent is sent on one processor: see forge.Client.Settle.
		runtime.LockOSThread() // and never unlock: the thread ends with its affinity
		_, err := lab.Pin()
		a.check(err)
		a.shown.Answer = q.known(a, q.experiment(a.stage()))
	}()
	<-done
	if a.failure != nil {
		return Observation{}, fmt.Errorf("behaviour %s: %w", q.Name, a.failure)
	}
	return a.shown, nil
}

// HasAnswer reports whether words are an answer's.
func (q Question) HasAnswer(words string) bool {
	return slices.ContainsFunc(q.Answers, func(a Answer) bool { return a.Words == words })
}

// known returns words that are an answer's.
func (q Question) known(in *attempt, words string) string {
	if !q.HasAnswer(words) {
		in.check(fmt.Errorf("the experiment answers %q, which is none of its answers", words))
	}
	return words
}
