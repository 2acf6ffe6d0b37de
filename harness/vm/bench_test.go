package vm

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/kernel"
)

// BenchmarkBoot measures from the start of QEMU to its end, in turns: the bare
// kernel with an init that powers off, out of the bzImage and by the same flags; a
// guest that boots; one that boots and is kept; and one that goes on from there. The
// payload does next to nothing.
func BenchmarkBoot(b *testing.B) {
	payload := build(b).does("report", "0")
	bare := buildProgram(b, kernel.AMD64, "./testdata/bare")
	for _, k := range oldestAndNewest(b) {
		b.Run(k.Release, func(b *testing.B) {
			m := Machine{Kernel: k, Modules: []string{"veth", "sch_netem"}}
			spent := map[string]time.Duration{}
			took := func(what string, do func()) {
				begin := time.Now()
				do()
				spent[what] += time.Since(begin)
			}
			for b.Loop() {
				m.Cache = ""
				took("bare", func() { bootBare(b, m, bare) })
				took("cold", func() { report(b, m, payload, false) })
				m.Cache = b.TempDir()
				took("kept", func() { report(b, m, payload, false) })
				took("warm", func() { report(b, m, payload, true) })
			}
			for what, d := range spent {
				b.ReportMetric(d.Seconds()/float64(b.N), what+"-s/op")
			}
			b.ReportMetric(spent["cold"].Seconds()/spent["bare"].Seconds(), "cold/bare")
			b.ReportMetric(spent["cold"].Seconds()/spent["warm"].Seconds(), "cold/warm")
		})
	}
}

func report(b *testing.B, m Machine, p Payload, resumed bool) {
	b.Helper()
	_, result, err := run(b, m, p)
	if err != nil || result.Resumed != resumed {
		b.Fatalf("resumed: %t, want %t; %v", result.Resumed, resumed, err)
	}
}

func bootBare(b *testing.B, m Machine, init string) {
	b.Helper()
	program, err := exec.LookPath(qemuProgram)
	if err != nil {
		b.Fatal(err)
	}
	parts, err := m.prepare(program, Payload{Init: init}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer parts.close()
	l, err := parts.launch(m)
	if err != nil {
		b.Fatal(err)
	}
	defer l.close()
	image, err := os.ReadFile(m.Kernel.Vmlinuz)
	if err != nil {
		b.Fatal(err)
	}
	kernel, err := memoryFile(image)
	if err != nil {
		b.Fatal(err)
	}
	defer kernel.Close()
	l.add("-kernel", l.inherit(kernel), "-initrd", l.inherit(parts.initramfs), "-append", m.kernelArguments())
	q, err := startQEMU(program, l)
	if err != nil {
		b.Fatal(err)
	}
	defer q.monitor.close()
	if <-q.exited; q.err != nil {
		b.Fatal(q.err)
	}
}

// BenchmarkStream measures how fast lines come out of a guest, from the first
// to the last of them.
func BenchmarkStream(b *testing.B) {
	payload := build(b)
	for _, k := range cachedKernels(b) {
		b.Run(k.Release, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				var first, last time.Time
				_, err := Machine{Kernel: k}.Run(b.Context(), payload.does("blast", "1024"), func([]byte) {
					last = time.Now()
					if first.IsZero() {
						first = last
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				spent += last.Sub(first)
			}
			b.ReportMetric(float64(b.N)*1024/spent.Seconds(), "KiB/s")
		})
	}
}
