package report

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/teardown"
)

// Evidence thins out the entries of scenarios that are played more than once.
// An exchange is nine tenths of an entry, and trials that went the same way have
// the same one but for its times; so the first trial of each way keeps its own.
// The zero value is ready for use, by several goroutines.
type Evidence struct {
	mu   sync.Mutex
	kept map[string]bool
}

// Thin returns the entry, without its exchange if an earlier trial of the same
// scenario went the same way: the same outcome for the same reasons, the same
// overtakings, retransmissions by the same timers, challenge ACKs and states.
// Observations are thinned out in the same way. The facts read off the exchange always stay. The entry it is given is not
// changed.
func (v *Evidence) Thin(e Entry) (Entry, error) {
	if e.Trial == nil && e.Observation == nil {
		return e, nil
	}
	way, err := json.Marshal(e.way())
	if err != nil {
		return Entry{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.kept[string(way)] {
		if v.kept == nil {
			v.kept = map[string]bool{}
		}
		v.kept[string(way)] = true
		return e, nil
	}
	if e.Trial != nil {
		thin := *e.Trial
		thin.Exchange = nil
		e.Trial = &thin
	}
	if e.Observation != nil {
		thin := *e.Observation
		thin.Exchange = nil
		e.Observation = &thin
	}
	return e, nil
}

// way is what the entries of trials that went the same way have in common.
func (e Entry) way() Entry {
	same := Entry{Name: e.Name}
	if e.Trial != nil {
		same.Trial = withoutFigures(*e.Trial)
	}
	if e.Observation != nil {
		same.Observation = &behaviour.Observation{Answer: e.Observation.Answer, Why: e.Observation.Why}
	}
	return same
}

// withoutFigures is the trial without what differs between trials that went the
// same way.
func withoutFigures(t teardown.Trial) *teardown.Trial {
	t.Exchange, t.Latency, t.Counters, t.Drops, t.Paths, t.Waits, t.GivenUp, t.Reopened = nil, nil, nil, nil, nil, nil, nil, nil
	t.Retransmissions = slices.Clone(t.Retransmissions)
	for i := range t.Retransmissions {
		t.Retransmissions[i].Delay, t.Retransmissions[i].RTO = 0, 0
	}
	return &t
}
