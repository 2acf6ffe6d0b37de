package matchers

import (
	"fmt"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/teardown"
)

// ReopenAfterTimeWait succeeds where the client's port could not be used again before
// TIME_WAIT had lasted for so long, and could when its timer had fired.
func ReopenAfterTimeWait(d time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the client's port in use until TIME_WAIT has lasted %v", d),
		met: func(t teardown.Trial) bool {
			latest := d + teardown.Late(d, t.Exchange.Jiffy) + between(t)
			r := t.Reopened
			return r != nil && r.Refused > 0 && r.Opened >= d && r.Opened <= latest
		},
		shows: reopened,
	}
}

// ReopenBetween succeeds where the client's port could not be used again at once, but
// so long after TIME_WAIT had begun.
func ReopenBetween(least, most time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the client use its port again not at once, but between %v and %v after TIME_WAIT has begun", least, most),
		met: func(t teardown.Trial) bool {
			r := t.Reopened
			return r != nil && r.Refused > 0 && r.Opened >= least && r.Opened <= most+between(t)
		},
		shows: reopened,
	}
}

// between is how far apart two tries may be: a jiffy, one more because it is waited for
// by a timer, and what a try takes.
func between(t teardown.Trial) time.Duration { return 3 * t.Exchange.Jiffy }

func reopened(t teardown.Trial) string {
	if t.Reopened == nil {
		return ""
	}
	return fmt.Sprintf("it was refused %d times, for the last time after %v, and let after %v\n",
		t.Reopened.Refused, t.Reopened.LastRefused, t.Reopened.Opened)
}
