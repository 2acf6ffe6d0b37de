package explore_test

import (
	"testing"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/topologies"
)

// What one execution costs, with as many side by side as there are processors.
func BenchmarkExecutions(b *testing.B) {
	stage := &explore.Live{Family: topologies.IPv4}
	defer stage.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := play(b.Context(), stage, nil, 0); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}
