package vm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// TestBoot boots kernels from the user's cache. What a guest does wrong is
// tried on the oldest of them.
func TestBoot(t *testing.T) {
	kernels := cachedKernels(t)
	oldest, newest := kernels[0], kernels[len(kernels)-1]
	payload := build(t)

	t.Run("reports", func(t *testing.T) {
		t.Parallel()
		testReport(t, Machine{Kernel: oldest}, payload)
	})
	t.Run("reports from the newest kernel", func(t *testing.T) {
		t.Parallel()
		testReport(t, Machine{Kernel: newest}, payload)
	})
	t.Run("reports on the real clock", func(t *testing.T) {
		t.Parallel()
		testReport(t, Machine{Kernel: newest, Clock: Real, CPUs: 2, MemoryMiB: 300}, payload)
	})
	t.Run("hands over lines while it runs", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		result, err := Machine{Kernel: oldest}.Run(ctx, payload.does("hang"), func(line []byte) {
			lines = append(lines, string(line))
			cancel()
		})
		g.Expect(lines).To(Equal([]string{`"about to hang"`}))
		g.Expect(result.Release).To(Equal(oldest.Release))
		g.Expect(err).To(failFor(Stopped))
		g.Expect(err).To(MatchError(context.Canceled))
	})
	t.Run("panics", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		lines, _, err := run(t, Machine{Kernel: oldest}, payload.does("panic"))
		g.Expect(lines).To(Equal([]string{`"about to panic"`}))
		g.Expect(err).To(failFor(Panicked))
		g.Expect(err).To(MatchError(ContainSubstring("sysrq triggered crash")))
		g.Expect(err).To(MatchError(ContainSubstring("sysrq_handle_crash+0x")))
	})
	t.Run("powers off early", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		_, _, err := run(t, Machine{Kernel: oldest}, payload.does("poweroff"))
		g.Expect(err).To(failFor(Ended))
		g.Expect(err).To(MatchError(ContainSubstring("reboot: Power down")))
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		lines, _, err := run(t, Machine{Kernel: oldest, Patience: 3 * time.Second}, payload.does("hang"))
		g.Expect(lines).To(Equal([]string{`"about to hang"`}))
		g.Expect(err).To(failFor(Hung))
	})
	t.Run("payload dies and leaves an orphan", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		lines, result, err := run(t, Machine{Kernel: oldest}, payload.does("abandon"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(result.Status).To(Equal(128 + int(syscall.SIGTERM)))
		g.Expect(lines).NotTo(BeEmpty())
		g.Expect(lines).To(HaveEach(`"scribble"`))
	})
	t.Run("module does not load", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		broken := kernel.Module{Name: "broken", Path: filepath.Join(t.TempDir(), "broken.ko")}
		g.Expect(os.WriteFile(broken.Path, []byte("not an object file"), 0o644)).To(Succeed())
		_, err := Machine{Kernel: oldest}.run(t.Context(), payload.does("report", "0"), []kernel.Module{broken}, ignore)
		g.Expect(err).To(failFor(ModuleFailed))
		g.Expect(err).To(MatchError(ContainSubstring("broken: finit_module: exec format error")))
	})
	t.Run("payload is no program", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		text := Payload{Init: payload.Init, Binary: filepath.Join(t.TempDir(), "suite")}
		g.Expect(os.WriteFile(text.Binary, []byte("not a program"), 0o755)).To(Succeed())
		_, _, err := run(t, Machine{Kernel: oldest}, text)
		g.Expect(err).To(failFor(NotExecuted))
		g.Expect(err).To(MatchError(ContainSubstring("execve /finwait/bin/suite: exec format error")))
	})
	t.Run("has no such module", func(t *testing.T) {
		t.Parallel()
		_, _, err := run(t, Machine{Kernel: oldest, Modules: []string{"no_such_module"}}, payload.Payload)
		var missing *kernel.MissingModuleError
		if !errors.As(err, &missing) {
			t.Errorf("got %v, want a missing module", err)
		}
	})
}

// testReport boots a guest that tells what it sees, and checks that.
func testReport(t *testing.T, m Machine, p testPayload) {
	g := NewWithT(t)
	var console bytes.Buffer
	m.Console = &console
	m.Modules = []string{"sch_netem", "veth"}
	does := p.does("report", "3")
	does.Env = []string{"FINWAIT=spoken to"}
	begin := time.Now()
	lines, result, err := run(t, m, does)
	t.Logf("%s, clock %q: booted in %v guest time, done after %v", m.Kernel.Release, m.Clock, result.Uptime, time.Since(begin))

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Status).To(Equal(3))
	g.Expect(result.Release).To(Equal(m.Kernel.Release))
	g.Expect(result.Uptime).To(BeNumerically(">", 0))
	g.Expect(lines).To(HaveLen(1))
	var saw struct {
		Args, Env       []string
		Modules, Mounts string
		CPUs            int
		Left            bool
	}
	g.Expect(json.Unmarshal([]byte(lines[0]), &saw)).To(Succeed())
	g.Expect(saw.Args).To(Equal([]string{"/finwait/bin/payload", "report", "3"}))
	g.Expect(saw.Env).To(ConsistOf(HavePrefix("PATH="), "HOME=/root", "TMPDIR=/tmp", "FINWAIT=spoken to"))
	g.Expect(saw.Modules).To(And(ContainSubstring("sch_netem "), ContainSubstring("veth ")))
	g.Expect(saw.Left).To(BeFalse(), "the module's file is still there")
	g.Expect(saw.CPUs).To(Equal(max(1, m.CPUs)))
	for _, mounted := range []string{
		"/dev devtmpfs", "/dev/shm tmpfs", "/proc proc", "/sys sysfs", "/tmp tmpfs", "/run tmpfs", "/sys/fs/cgroup cgroup2",
	} {
		g.Expect(saw.Mounts).To(ContainSubstring(" " + mounted + " "))
	}
	g.Expect(console.String()).To(And(ContainSubstring("to standard output\n"), ContainSubstring("to standard error\n")))
}

// A testPayload is testdata/payload with the guest's init.
type testPayload struct{ Payload }

func (p testPayload) does(args ...string) Payload {
	p.Args = args
	return p.Payload
}

func build(tb testing.TB) testPayload {
	tb.Helper()
	return buildFor(tb, kernel.AMD64)
}

func buildFor(tb testing.TB, arch kernel.Arch) testPayload {
	tb.Helper()
	return testPayload{Payload{Init: buildProgram(tb, arch, "./init"), Binary: buildProgram(tb, arch, "./testdata/payload")}}
}

func buildProgram(tb testing.TB, arch kernel.Arch, source string) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), filepath.Base(source))
	command := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, source)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+string(arch))
	if out, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", source, err, out)
	}
	return path
}

// run runs a machine and collects its lines.
func run(tb testing.TB, m Machine, p Payload) (lines []string, result Result, err error) {
	tb.Helper()
	result, err = m.Run(tb.Context(), p, func(line []byte) { lines = append(lines, string(line)) })
	return lines, result, err
}

func ignore([]byte) {}

// cachedKernels gives the amd64 kernels in the user's cache, from old to new.
func cachedKernels(tb testing.TB) []kernel.Image {
	tb.Helper()
	return cachedKernelsFor(tb, kernel.AMD64)
}

func cachedKernelsFor(tb testing.TB, wanted kernel.Arch) []kernel.Image {
	tb.Helper()
	if err := Available(wanted); err != nil {
		tb.Skip(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Skipf("no cache to take a kernel from: %v", err)
	}
	folders, err := filepath.Glob(filepath.Join(cache, "finwait", "debian", "kernels", "*", "lib", "modules", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	var images []kernel.Image
	for _, modules := range folders {
		vmlinuz := filepath.Join(modules, "..", "..", "..", "vmlinuz")
		arch, err := kernel.Identify(vmlinuz)
		if err != nil {
			tb.Fatal(err)
		}
		if arch == wanted {
			images = append(images, kernel.Image{Release: filepath.Base(modules), Arch: arch, Vmlinuz: vmlinuz, Modules: modules})
		}
	}
	if len(images) == 0 {
		tb.Skipf("no kernel for %s in the cache %s: run make vm-test once", wanted, cache)
	}
	slices.SortFunc(images, func(a, b kernel.Image) int {
		return cmp.Or(slices.Compare(series(a), series(b)), strings.Compare(a.Release, b.Release))
	})
	return images
}

// series gives the first two numbers of a kernel's release.
func series(k kernel.Image) []int {
	numbers := make([]int, 2)
	_, _ = fmt.Sscanf(k.Release, "%d.%d", &numbers[0], &numbers[1])
	return numbers
}

func needQEMU(tb testing.TB) {
	tb.Helper()
	if _, err := exec.LookPath(qemuProgram); err != nil {
		tb.Skipf("no QEMU to boot with: install the package qemu-system-x86 (%v)", err)
	}
}
