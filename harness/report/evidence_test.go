package report

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// again is a trial with a retransmission, and figures of its own.
func again(timer teardown.Timer, delay time.Duration) teardown.Trial {
	return teardown.Trial{
		Outcome:         retransmitted,
		Latency:         latency{segment.Client: delay},
		Retransmissions: []teardown.Retransmission{{Segment: "F. 1:1(0) ack 1", Timer: timer, Delay: delay, RTO: delay}},
		Counters:        map[segment.Side]map[string]int64{segment.Client: {"InSegs": int64(delay)}},
		Exchange:        &teardown.Exchange{},
	}
}

func TestTheFirstTrialOfEachWayKeepsItsExchange(t *testing.T) {
	var evidence Evidence
	for i, c := range []struct {
		name  string
		trial teardown.Trial
		keeps bool
	}{
		{"a", again(teardown.TLP, 1), true},
		{"a", again(teardown.TLP, 2), false},
		{"a", again(teardown.RTO, 2), true},
		{"b", again(teardown.TLP, 3), true},
		{"a", teardown.Trial{Outcome: clean, Exchange: &teardown.Exchange{}}, true},
		{"a", teardown.Trial{Outcome: clean, Overtook: []teardown.Sequence{{}}, Exchange: &teardown.Exchange{}}, true},
		{"a", teardown.Trial{Outcome: inconclusive, Why: []string{"x"}, Exchange: &teardown.Exchange{}}, true},
		{"a", teardown.Trial{Outcome: inconclusive, Why: []string{"y"}, Exchange: &teardown.Exchange{}}, true},
		{"a", teardown.Trial{Outcome: inconclusive, Why: []string{"x"}, Exchange: &teardown.Exchange{}}, false},
	} {
		got, err := evidence.Thin(Entry{Name: c.name, Expected: clean, Race: true, Trial: &c.trial})
		if err != nil {
			t.Fatal(err)
		}
		if keeps := got.Trial.Exchange != nil; keeps != c.keeps {
			t.Errorf("entry %d keeps its exchange: %v, want %v", i, keeps, c.keeps)
		}
		if c.trial.Exchange == nil {
			t.Errorf("entry %d: the trial it was given has lost its exchange", i)
		}
		if len(got.Trial.Retransmissions) > 0 && !reflect.DeepEqual(got.Trial.Retransmissions[0], c.trial.Retransmissions[0]) ||
			len(got.Trial.Latency) != len(c.trial.Latency) || len(got.Trial.Counters) != len(c.trial.Counters) || !got.Race {
			t.Errorf("entry %d has lost more than its exchange: %+v", i, got)
		}
	}
	skipped := Entry{Name: "a", Expected: clean, Skipped: "the running kernel lacks sch_netem"}
	if got, err := evidence.Thin(skipped); err != nil || got != skipped {
		t.Errorf("an entry without a trial became %+v (%v)", got, err)
	}
}

func TestEvidenceIsKeptOnceBySeveralGoroutines(t *testing.T) {
	var (
		evidence Evidence
		kept     atomic.Int32
		players  sync.WaitGroup
	)
	for i := range 64 {
		players.Go(func() {
			trial := again(teardown.TLP, time.Duration(i))
			got, err := evidence.Thin(Entry{Name: fmt.Sprint("s", i%2), Trial: &trial})
			if err != nil {
				t.Error(err)
			}
			if got.Trial.Exchange != nil {
				kept.Add(1)
			}
		})
	}
	players.Wait()
	if kept.Load() != 2 {
		t.Errorf("%d exchanges of two scenarios were kept", kept.Load())
	}
}
