package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A Distribution is what the trials of one scenario come to.
type Distribution struct {
	// Outcomes is how many trials ended in each way.
	Outcomes map[teardown.Outcome]int `json:"outcomes"`
	// Latency is that of each end, from its closing call to its being closed,
	// over the trials in which it closed; an end that never did has none.
	Latency map[segment.Side]Spread `json:"latency_ns,omitempty"`
}

// A Spread says how durations are spread. Each of its durations is one that was
// measured: nothing is interpolated.
type Spread struct {
	// Trials is how many were measured.
	Trials int `json:"trials"`
	// Median and P90 are the smallest that at least half and at least nine
	// tenths of all do not exceed (the nearest-rank method).
	Min    time.Duration `json:"min"`
	Median time.Duration `json:"median"`
	P90    time.Duration `json:"p90"`
	Max    time.Duration `json:"max"`
	// MedianLow and MedianHigh hold the median of all trials that the kernel would ever
	// play, in 95 of 100 cases; both are 0 where there are too few for that, fewer than
	// six. They are two of the measured ones (an interval by order statistics, which
	// supposes nothing of how durations are spread).
	MedianLow  time.Duration `json:"median_low,omitempty"`
	MedianHigh time.Duration `json:"median_high,omitempty"`
}

// distribute is where every figure over several trials comes from.
func distribute(trials []teardown.Trial) Distribution {
	d := Distribution{Outcomes: map[teardown.Outcome]int{}, Latency: map[segment.Side]Spread{}}
	took := map[segment.Side][]time.Duration{}
	for _, t := range trials {
		d.Outcomes[t.Outcome]++
		for side, latency := range t.Latency {
			took[side] = append(took[side], latency)
		}
	}
	for side, latencies := range took {
		d.Latency[side] = spread(latencies)
	}
	return d
}

// spread sorts the durations, of which there is at least one.
func spread(durations []time.Duration) Spread {
	slices.Sort(durations)
	n := len(durations)
	percentile := func(p int) time.Duration { return durations[(n*p+99)/100-1] }
	s := Spread{Trials: n, Min: durations[0], Median: percentile(50), P90: percentile(90), Max: durations[n-1]}
	if median := benchmath.AssumeNothing.Summary(sampleOf(durations), 0.95); len(median.Warnings) == 0 {
		s.MedianLow, s.MedianHigh = time.Duration(median.Lo), time.Duration(median.Hi)
	}
	return s
}

// sampleOf is durations for golang.org/x/perf/benchmath, in nanoseconds.
func sampleOf(durations []time.Duration) *benchmath.Sample {
	values := make([]float64, 0, len(durations))
	for _, d := range durations {
		values = append(values, float64(d))
	}
	return benchmath.NewSample(values, &benchmath.DefaultThresholds)
}

// estimate is "204.0 ms [203.9, 204.4]": the median, and what holds it.
func (s Spread) estimate() string {
	text := milliseconds(s.Median)
	if s.MedianHigh == 0 {
		return text
	}
	return text + " " + s.interval()
}

// interval is "[203.9, 204.4]", in milliseconds.
func (s Spread) interval() string {
	low, _ := strings.CutSuffix(milliseconds(s.MedianLow), " ms")
	high, _ := strings.CutSuffix(milliseconds(s.MedianHigh), " ms")
	return fmt.Sprintf("[%s, %s]", low, high)
}

// slower is the latency of the end that takes longer, by the median; ok is false
// where an end never closed.
func (d Distribution) slower() (s Spread, ok bool) {
	client, closed := d.Latency[segment.Client]
	server, also := d.Latency[segment.Server]
	if server.Median > client.Median {
		return server, closed && also
	}
	return client, closed && also
}
