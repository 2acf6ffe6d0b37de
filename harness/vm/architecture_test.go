package vm

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// TestBootARM64 boots arm64 kernels from the user's cache, once from cold and once
// from what was kept.
func TestBootARM64(t *testing.T) {
	kernels := cachedKernelsFor(t, kernel.ARM64)
	payload := buildFor(t, kernel.ARM64)
	for _, k := range kernels {
		t.Run(k.Release, func(t *testing.T) {
			t.Parallel()
			testReport(t, Machine{Kernel: k}, payload)
		})
		t.Run(k.Release+" on the real clock", func(t *testing.T) {
			t.Parallel()
			testReport(t, Machine{Kernel: k, Clock: Real, CPUs: 2, MemoryMiB: 300}, payload)
		})
		t.Run(k.Release+" kept", func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			m := Machine{Kernel: k, Cache: t.TempDir(), Notice: func(line string) { t.Error(line) }}
			for _, resumed := range []bool{false, true} {
				lines, result, err := run(t, m, payload.does("identify"))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(lines).To(HaveLen(1))
				g.Expect(result.Release).To(Equal(k.Release))
				g.Expect(result.Resumed).To(Equal(resumed))
			}
		})
	}
}
