//go:build vm

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
)

// BenchmarkFirstSpec is how long a guest takes, from the start of QEMU, to the first
// result of a spec, in turns: booted, and resumed from where it had booted.
func BenchmarkFirstSpec(b *testing.B) {
	for _, name := range []string{"debian/bullseye", "debian/trixie"} {
		b.Run(name, func(b *testing.B) {
			p := prepare(b, "behaviour", name)
			p.untilFirst(b) // so that there is something to go on from
			first := map[bool]time.Duration{}
			for b.Loop() {
				for _, p.cold = range []bool{true, false} {
					first[p.cold] += p.untilFirst(b)
				}
			}
			b.ReportMetric(first[true].Seconds()/float64(b.N), "cold-s/op")
			b.ReportMetric(first[false].Seconds()/float64(b.N), "warm-s/op")
			b.ReportMetric(first[true].Seconds()/first[false].Seconds(), "cold/warm")
		})
	}
}

// BenchmarkLongTimers is what an hour and more of a guest's time takes of the host's.
func BenchmarkLongTimers(b *testing.B) {
	for _, name := range []string{"debian/bullseye", "debian/trixie"} {
		b.Run(name, func(b *testing.B) {
			p := prepare(b, "long-timers", name)
			var guest time.Duration
			for b.Loop() {
				result, err := p.runOn(b.Context(), p.images[0], p.programs, p.job(func() error { return nil }))
				if err != nil {
					b.Fatal(err)
				}
				guest += result.Ran
			}
			b.ReportMetric(guest.Seconds()/float64(b.N), "guest-s/op")
		})
	}
}

// BenchmarkServers is what all servers take on a kernel: 120 s are there for it.
func BenchmarkServers(b *testing.B) {
	for _, name := range []string{"debian/bullseye", "debian/trixie"} {
		b.Run(name, func(b *testing.B) {
			s := surveyor{folder: filepath.Join("..", "..", ".bin", "servers"), options: options{
				clock: "virtual", trials: 1, suite: programs.Servers, out: b.TempDir(), stdout: io.Discard, stderr: io.Discard,
			}}
			for b.Loop() {
				if err := s.run(b.Context(), []string{name}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSideBySide runs the same on four kernels at once, and on each of them alone.
func BenchmarkSideBySide(b *testing.B) {
	all := prepare(b, "overtaken-fin", "debian/bullseye", "debian/bookworm", "debian/trixie", "debian/sid")
	all.play(b)
	var alone, together time.Duration
	took := func(p prepared) time.Duration {
		begin := time.Now()
		p.play(b)
		return time.Since(begin)
	}
	for b.Loop() {
		one := all
		for i := range all.images {
			one.images = all.images[i : i+1]
			alone += took(one) / time.Duration(len(all.images))
		}
		together += took(all)
	}
	b.ReportMetric(alone.Seconds()/float64(b.N), "one-s/op")
	b.ReportMetric(together.Seconds()/float64(b.N), "four-s/op")
	b.ReportMetric(together.Seconds()/alone.Seconds(), "four/one")
}

// prepared are kernels, and what is to run on them.
type prepared struct {
	options
	images   []kernel.Image
	programs *programs.Set
}

func prepare(b *testing.B, labels string, kernels ...string) prepared {
	b.Helper()
	var said bytes.Buffer
	o := options{clock: "virtual", trials: 1, labelFilter: labels, out: b.TempDir(), stdout: io.Discard, stderr: &said}
	images, built, err := o.prepare(b.Context(), kernels)
	if err != nil {
		b.Fatalf("%v\n%s", err, &said)
	}
	b.Cleanup(built.Remove)
	return prepared{o, images, built}
}

// job is the suite's, with something to be done at each result.
func (p prepared) job(each func() error) job {
	return job{
		args: func(record string) []string {
			return p.suiteArgs(p.images[0], round{trials: p.trials}, record)
		},
		entry: func(line []byte) error {
			if bytes.Contains(line, []byte(`"progress":`)) {
				return nil // no result
			}
			return each()
		},

		notice: func(string) {},
	}
}

func (p prepared) play(b *testing.B) {
	b.Helper()
	if _, err := p.options.play(b.Context(), p.images, p.programs); err != nil {
		b.Fatal(err)
	}
}

// untilFirst ends the guest at its first result, and returns when that came.
func (p prepared) untilFirst(b *testing.B) (first time.Duration) {
	b.Helper()
	enough := errors.New("enough seen")
	ctx, cancel := context.WithCancelCause(b.Context())
	begin := time.Now()
	_, err := p.runOn(ctx, p.images[0], p.programs, p.job(func() error {
		if first == 0 {
			first = time.Since(begin)
		}
		return enough
	}))
	cancel(nil)
	if !errors.Is(err, enough) {
		b.Fatalf("it ended with %v", err)
	}
	return first
}
