package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// longWait is from when on a wait is worth a word where nothing was sent again, and
// none of the delays of milliseconds that every teardown has.
const longWait = time.Second

// waits say of each end of a trial how long it waited, in seconds: for what it sent
// again, for its peer to answer a probe, and for its kernel to give up or forget the
// connection.
func waits(t teardown.Trial) (said []string) {
	for _, s := range segment.Sides {
		var again []time.Duration
		for _, r := range t.Retransmissions {
			if r.From == s {
				again = append(again, r.Delay)
			}
		}
		if len(again) > 1 {
			said = append(said, fmt.Sprintf("the %v sent again after %s s", s, seconds(again)))
		}
		for _, timer := range []string{"probe", "keepalive"} {
			if probed := tookBy(t, s, timer); len(probed) > 1 || len(probed) == 1 && probed[0] >= longWait {
				said = append(said, fmt.Sprintf("the %v's %s timer took %s s", s, timer, seconds(probed)))
			}
		}
		if after, gaveUp := t.GivenUp[s]; gaveUp {
			said = append(said, fmt.Sprintf("the %v gave up after %.1f s", s, after.Seconds()))
		}
		path := t.Paths[s]
		for i, step := range path[:max(len(path)-1, 0)] {
			if stay := path[i+1].At - step.At; (step.State == "FIN_WAIT2" || step.State == "TIME_WAIT") && stay >= longWait {
				said = append(said, fmt.Sprintf("%s of the %v lasted %.3f s", step.State, s, stay.Seconds()))
			}
		}
	}
	if r := t.Reopened; r != nil {
		said = append(said, fmt.Sprintf("the client's port could be used again after %.3f s", r.Opened.Seconds()))
	}
	return said
}

// tookBy are the times that an end waited by one of its timers.
func tookBy(t teardown.Trial, s segment.Side, timer string) (took []time.Duration) {
	for _, w := range t.Waits[s] {
		if w.Timer == timer && w.Took > 0 {
			took = append(took, w.Took)
		}
	}
	return took
}

// seconds is "0.204 0.408".
func seconds(durations []time.Duration) string {
	var parts []string
	for _, d := range durations {
		parts = append(parts, fmt.Sprintf("%.3f", d.Seconds()))
	}
	return strings.Join(parts, " ")
}
