package events_test

import (
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/observe/events"
)

// BenchmarkOpen is what a process pays once.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		recorder, err := events.Open()
		if err != nil {
			b.Fatal(err)
		}
		recorder.Close()
	}
}

// BenchmarkWatch is what an end of a connection pays.
func BenchmarkWatch(b *testing.B) {
	recorder := open(b)
	client, _ := connect(b, newPair(b), netip.MustParseAddr("192.0.2.2"))
	cookie := client.cookie(b)
	for b.Loop() {
		w, err := recorder.Watch(client.host, client.local, client.remote, cookie)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Recording(); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}

// BenchmarkTeardown opens and ends a connection, with its events recorded at
// both ends and without, and reports what the programs took of it.
func BenchmarkTeardown(b *testing.B) {
	for _, observed := range []bool{false, true} {
		name := "alone"
		if observed {
			name = "recorded"
		}
		b.Run(name, func(b *testing.B) {
			pair := newPair(b)
			var recorder *events.Recorder
			if observed {
				recorder = open(b)
				stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
				if err != nil {
					b.Fatal(err)
				}
				defer stats.Close()
			}
			happened := 0
			for b.Loop() {
				client, server := connect(b, pair, netip.MustParseAddr("192.0.2.2"))
				var watches []*events.Watch
				if observed {
					watches = []*events.Watch{client.watch(b, recorder), server.watch(b, recorder)}
				}
				client.shutdown(b)
				server.readToEOF(b)
				server.close()
				client.readToEOF(b)
				client.close()
				for _, w := range watches {
					happened += len(recorded(b, w))
					w.Close()
				}
			}
			b.ReportMetric(float64(happened)/float64(b.N), "events/op")
			if !observed {
				return
			}
			for source, spent := range recorder.Spent() {
				b.ReportMetric(spent, "ns/"+string(source))
			}
		})
	}
}
