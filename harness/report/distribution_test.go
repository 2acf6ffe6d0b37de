package report

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

type latency = map[segment.Side]time.Duration

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		durations []time.Duration
		want      Spread
	}{
		{[]time.Duration{7}, Spread{1, 7, 7, 7, 7, 0, 0}},
		{[]time.Duration{9, 1}, Spread{2, 1, 1, 9, 9, 0, 0}},
		{[]time.Duration{9, 1, 2}, Spread{3, 1, 2, 9, 9, 0, 0}},
		{[]time.Duration{5, 4, 3, 2, 1}, Spread{5, 1, 3, 5, 5, 0, 0}}, // no interval holds the median in 95 of 100 cases
		{[]time.Duration{6, 5, 4, 3, 2, 1}, Spread{6, 1, 3, 6, 6, 1, 6}},
		{[]time.Duration{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, Spread{10, 1, 5, 9, 10, 2, 9}},
		{[]time.Duration{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, Spread{11, 1, 6, 10, 11, 2, 9}},
	} {
		if got := spread(c.durations); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.durations, got, c.want)
		}
	}
}

func TestDistributionLeavesOutWhatDidNotClose(t *testing.T) {
	got := distribute([]teardown.Trial{
		{Outcome: clean, Latency: latency{segment.Client: 1, segment.Server: 20}},
		{Outcome: stuck, Latency: latency{segment.Client: 3}},
		{Outcome: clean, Latency: latency{segment.Client: 2, segment.Server: 10}},
		{Outcome: stuck},
	})
	want := Distribution{
		Outcomes: map[teardown.Outcome]int{clean: 2, stuck: 2},
		Latency:  map[segment.Side]Spread{segment.Client: {3, 1, 2, 3, 3, 0, 0}, segment.Server: {2, 10, 10, 20, 20, 0, 0}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if slower, ok := got.slower(); !ok || slower.Median != 10 {
		t.Errorf("the slower end's is %+v, %v", slower, ok)
	}
	if _, ok := distribute([]teardown.Trial{{Latency: latency{segment.Client: 1}}}).slower(); ok {
		t.Error("an end that never closed is the faster one")
	}
}

func TestARecordHoldsTheDistribution(t *testing.T) {
	r := record("debian/x", map[string][]teardown.Outcome{"s": {clean, retransmitted}, "skipped": {}})
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `"distribution":{"outcomes":{"clean":1,"retransmitted":1},"latency_ns":{` +
		`"client":{"trials":2,"min":1000000,"median":1000000,"p90":1000000,"max":1000000},`
	if !strings.Contains(string(text), want) || strings.Count(string(text), "distribution") != 1 {
		t.Errorf("the record does not hold %s once:\n%s", want, text)
	}
	again, err := parse(text)
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("read again it is %+v, want %+v (%v)", again, r, err)
	}
}
