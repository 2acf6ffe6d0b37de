package topologies_test

import (
	"testing"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/topologies"
)

func BenchmarkPair(b *testing.B) {
	for b.Loop() {
		l := lab.New()
		if _, err := topologies.NewPair(l, topologies.IPv6); err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}
