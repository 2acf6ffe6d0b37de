package report

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A loss is what a server's kernel dropped of a client's segments in a scenario's trials.
type loss struct {
	// known is whether all trials tell, or those that do tell of a loss.
	known bool
	// lost is how many of the trials tell of one, and took how much longer the connection
	// went on in each of them.
	lost, of int
	took     []time.Duration
}

func lossOf(s Scenario) loss {
	l := loss{known: conclusive(s), of: len(s.Trials)}
	for _, t := range s.Trials {
		dropped := t.DroppedBy(segment.Server)
		if t.Outcome == teardown.Inconclusive {
			l.known = false
		}
		if len(dropped) == 0 {
			continue
		}
		var later time.Duration
		for _, again := range dropped {
			later += again.Delay
		}
		l.lost, l.took = l.lost+1, append(l.took, later)
	}
	l.known = l.known || l.lost > 0
	return l
}

// cost is "206 ms", or of several trials "204 to 206 ms in 3 of 5 trials".
func (l loss) cost() string {
	least, most := slices.Min(l.took).Round(time.Millisecond), slices.Max(l.took).Round(time.Millisecond)
	text := fmt.Sprintf("%d ms", most.Milliseconds())
	if least < most {
		text = fmt.Sprintf("%d to %s", least.Milliseconds(), text)
	}
	if l.lost < l.of {
		text += fmt.Sprintf(" in %d of %d trials", l.lost, l.of)
	}
	return text
}

// notArisen reports whether a scenario did not come about because of what the server or
// the client is like.
func notArisen(s Scenario) bool {
	return s.Skipped == scenario.ErrNotFirst.Why || s.Skipped == scenario.ErrClientWaits.Why || s.Skipped == scenario.ErrNotOurs.Why
}

// none stands where something did not come about.
const none = "–"

// inWords is what came of a scenario.
func inWords(s Scenario) string {
	l := lossOf(s)
	switch {
	case l.lost > 0:
		return "sent again after " + l.cost()
	case notArisen(s):
		return none
	}
	return s.outcome()
}

const forGood = "“for good”"

// keptInWords is for how long the server's kernel kept a connection whose client was gone.
func keptInWords(s Scenario) string {
	t := s.Judged()
	if t == nil || !lossOf(s).known {
		return inWords(s)
	}
	after, gaveUp := t.GivenUp[segment.Server]
	switch {
	case gaveUp:
		return roughly(after)
	case t.Outcome == teardown.Stuck:
		return fmt.Sprintf("%s, in %s", forGood, t.States[segment.Server])
	}
	return inWords(s)
}

// roughly is "5.3 s", "65 s" or "110 s": to two digits, so that the same wait on several
// kernels reads the same.
func roughly(d time.Duration) string {
	digit := 100 * time.Millisecond
	for d.Round(digit) >= 100*digit {
		digit *= 10
	}
	return strconv.FormatFloat(d.Round(digit).Seconds(), 'f', -1, 64) + " s"
}

// remedied is what a remedy makes of a loss.
func remedied(without, with Scenario) string {
	before, after := lossOf(without), lossOf(with)
	switch {
	case !after.known || !before.known:
		return fmt.Sprintf("%s; without it %s", inWords(with), inWords(without))
	case before.lost > 0 && after.lost > 0 && 2*slices.Max(after.took) < slices.Min(before.took):
		return fmt.Sprintf("it is lost all the same, but costs less: %s instead of %s", after.cost(), before.cost())
	case before.lost > 0 && after.lost > 0:
		return fmt.Sprintf("does not help: %s instead of %s", after.cost(), before.cost())
	case after.lost > 0:
		return fmt.Sprintf("makes it worse: %s, and without it %s", inWords(with), inWords(without))
	case before.lost > 0 && with.Outcome == teardown.Clean:
		return "helps"
	case before.lost > 0:
		return "helps, but " + inWords(with)
	case without.Outcome == with.Outcome:
		return "changes nothing: " + inWords(with)
	}
	return fmt.Sprintf("%s instead of %s", inWords(with), inWords(without))
}
