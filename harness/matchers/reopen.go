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

// ReopenWithin succeeds where the client could use its port again no later than so long
// after TIME_WAIT had begun.
func ReopenWithin(limit time.Duration) types.GomegaMatcher {
	return &matcher{
		wish: fmt.Sprintf("to have the client use its port again within %v after TIME_WAIT has begun", limit),
		met: func(t teardown.Trial) bool {
			return t.Reopened != nil && t.Reopened.Opened <= limit+between(t)
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
