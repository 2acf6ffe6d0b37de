package behaviour

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/topologies"
)

// An attempt is one experiment. It may have several stages.
type attempt struct {
	ctx    context.Context
	family topologies.Family
	built  *lab.Lab
	shown  Observation
	// failure is why the harness could not do its work.
	failure error
}

// check ends the experiment if the harness could not do its work.
func (a *attempt) check(err error) {
	if err == nil {
		return
	}
	if cause := context.Cause(a.ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	a.failure = err
	runtime.Goexit()
}

// doubt ends the experiment without an answer.
func (a *attempt) doubt(format string, args ...any) {
	a.shown.Why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// longest is how many lines of an exchange are kept.
const longest = 100

// note writes down what happened.
func (a *attempt) note(format string, args ...any) {
	switch n := len(a.shown.Exchange); {
	case n < longest:
		a.shown.Exchange = append(a.shown.Exchange, fmt.Sprintf(format, args...))
	case n == longest:
		a.shown.Exchange = append(a.shown.Exchange, "and so on")
	}
}
