package vm

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

// identity is what testdata/payload tells when it is to identify its guest.
type identity struct {
	Random          []byte
	Boot            string `json:"boot_id"`
	Port            int
	Now             time.Time
	Symbol, Modules string
}

// A guest that goes on from what was kept is the same as the one that had booted
// but for what has to differ: what is drawn at random, and the date.
func TestWarm(t *testing.T) {
	for _, k := range oldestAndNewest(t) {
		t.Run(k.Release, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			payload := build(t)
			var notices []string
			m := Machine{Kernel: k, Modules: []string{"veth"}, Cache: t.TempDir(), Notice: func(n string) { notices = append(notices, n) }}
			var seen []identity
			for i := range 3 {
				lines, result, err := run(t, m, payload.does("identify"))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(result.Resumed).To(Equal(i > 0))
				g.Expect(result.Release).To(Equal(k.Release))
				g.Expect(lines).To(HaveLen(1))
				var who identity
				g.Expect(json.Unmarshal([]byte(lines[0]), &who)).To(Succeed())
				g.Expect(who.Now).To(BeTemporally("~", time.Now(), 30*time.Second))
				t.Logf("%v after the boot, port %d", result.Uptime, who.Port)
				seen = append(seen, who)
			}
			g.Expect(notices).To(BeEmpty())
			for i, who := range seen[1:] {
				before := seen[i]
				g.Expect(who.Symbol).To(Equal(before.Symbol))
				g.Expect(who.Modules).To(Equal(before.Modules))
				g.Expect(who.Random).NotTo(Equal(before.Random))
				g.Expect(who.Boot).NotTo(Equal(before.Boot))
				g.Expect(who.Now).To(BeTemporally(">", before.Now))
			}
			// A port may be drawn twice in a row, once in some ten thousand times.
			g.Expect([]int{seen[1].Port, seen[2].Port}).NotTo(Equal([]int{seen[0].Port, seen[0].Port}))
		})
	}
}

// A held program is started once, and goes on in each guest with what it is told
// there.
func TestHeld(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	payload := build(t)
	payload.Held = true
	m := Machine{Kernel: cachedKernels(t)[0], Cache: t.TempDir()}
	var printed []string
	for i, status := range []string{"3", "4", "5"} {
		var console bytes.Buffer
		m.Console = &console
		lines, result, err := run(t, m, payload.does("report", status))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(result.Resumed).To(Equal(i > 0))
		g.Expect(result.Status).To(Equal(3 + i))
		g.Expect(lines).To(HaveLen(1))
		g.Expect(lines[0]).To(ContainSubstring(`"args":["/finwait/bin/payload","report","` + status + `"]`))
		since, _, _ := strings.Cut(console.String(), "\n")
		g.Expect(since).To(HavePrefix("held since "))
		printed = append(printed, since)
	}
	g.Expect(printed).To(HaveEach(printed[0]))

	// Another program is not what was kept.
	payload.Env = []string{"A=b"}
	_, result, err := run(t, m, payload.does("report", "3"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Resumed).To(BeFalse())
}

func TestHeldDies(t *testing.T) {
	t.Parallel()
	payload := build(t)
	payload.Held, payload.Env = true, []string{"DIES=yes"}
	_, _, err := run(t, Machine{Kernel: cachedKernels(t)[0]}, payload.does("report", "3"))
	g := NewWithT(t)
	g.Expect(err).To(failFor(NotExecuted))
	g.Expect(err).To(MatchError(ContainSubstring("/finwait/bin/payload ended before it was ready, with status 7")))
}

// What was kept and is of no use is said in one line, and the guest boots. What it
// leaves then is of use.
func TestWarmIsOfNoUse(t *testing.T) {
	payload := build(t)
	oldest := cachedKernels(t)[0]
	whole := t.TempDir()
	_, _, err := run(t, Machine{Kernel: oldest, Cache: whole}, payload.does("report", "3"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		says  string
	}{
		"cut short": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 10<<20); err != nil {
				t.Fatal(err)
			}
		}, "it was cut short"},
		"damaged": {func(t *testing.T, path string) {
			overwrite(t, path, 20<<20, []byte("not what was there"))
		}, "it is damaged"},
		"of another QEMU": {func(t *testing.T, path string) {
			rewriteHeader(t, path, func(h *stateHeader) { h.Shape.QEMU = "QEMU emulator version 6.2.0" })
		}, "it is of another QEMU"},
		"of another kernel": {func(t *testing.T, path string) {
			rewriteHeader(t, path, func(h *stateHeader) { h.Shape.Kernel = "" })
		}, "it is of another kernel"},
		"something else": {func(t *testing.T, path string) {
			overwrite(t, path, 0, []byte("something else"))
		}, "it is no machine"},
		"what QEMU does not understand": {func(t *testing.T, path string) {
			rewriteState(t, path, []byte("something else"))
		}, "QEMU refused its work"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			var notices []string
			m := Machine{Kernel: oldest, Cache: t.TempDir(), Notice: func(n string) { notices = append(notices, n) }}
			g.Expect(os.CopyFS(m.Cache, os.DirFS(whole))).To(Succeed())
			c.spoil(t, theOnlyState(t, m.Cache))
			for _, resumed := range []bool{false, true} {
				lines, result, err := run(t, m, payload.does("report", "3"))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(result.Status).To(Equal(3))
				g.Expect(result.Resumed).To(Equal(resumed))
				g.Expect(lines).To(HaveLen(1))
			}
			g.Expect(notices).To(HaveLen(1))
			g.Expect(notices[0]).To(And(ContainSubstring(oldest.Release+" boots cold: "), ContainSubstring(c.says), Not(ContainSubstring("\n"))))
		})
	}
}

// What fails once it has gone on is an error, and not what the next run goes on from.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	payload := build(t)
	m := Machine{Kernel: cachedKernels(t)[0], Cache: t.TempDir()}
	for _, does := range []string{"report", "panic", "report"} {
		_, result, err := run(t, m, payload.does(does, "3"))
		g.Expect(result.Resumed).To(Equal(does == "panic"))
		if does == "panic" {
			g.Expect(err).To(failFor(Panicked))
		} else {
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
}

// A machine that hangs once it goes on was kept in an endless loop.
func TestWarmHangs(t *testing.T) {
	g := NewWithT(t)
	payload := build(t)
	var notices []string
	m := Machine{Kernel: cachedKernels(t)[0], Cache: t.TempDir(), Notice: func(n string) { notices = append(notices, n) }}
	m.accelerator = TCG
	keepEndless(t, m, payload.does("report", "3"))
	lines, result, err := run(t, m, payload.does("report", "3"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Status).To(Equal(3))
	g.Expect(result.Resumed).To(BeFalse())
	g.Expect(lines).To(HaveLen(1))
	g.Expect(notices).To(ConsistOf(And(ContainSubstring("boots cold: resumed from "), ContainSubstring("not after 10s"))))
}

// keepEndless keeps a machine that does nothing for ever in the place of m.
func keepEndless(t *testing.T, m Machine, p Payload) {
	t.Helper()
	g := NewWithT(t)
	modules, err := m.loadOrder()
	g.Expect(err).NotTo(HaveOccurred())
	program, err := exec.LookPath(qemuProgram)
	g.Expect(err).NotTo(HaveOccurred())
	parts, err := m.prepare(program, p, modules)
	g.Expect(err).NotTo(HaveOccurred())
	defer parts.close()
	l, err := parts.launch(m)
	g.Expect(err).NotTo(HaveOccurred())
	defer l.close()
	l.add("-kernel", writeEndlessKernel(t))
	q, err := startQEMU(program, l)
	g.Expect(err).NotTo(HaveOccurred())
	defer func() {
		q.kill()
		<-q.exited
	}()
	g.Expect(q.monitor.open()).To(Succeed())
	g.Expect(q.monitor.execute("stop", nil)).To(Succeed())
	g.Expect(m.keep(q.monitor, parts)).To(Succeed())
}

// Where there is no room for what is to be kept, that is said in one line, and the
// run is none the worse.
func TestKeepWithoutSpace(t *testing.T) {
	kernel := cachedKernels(t)[0]
	const inside = "FINWAIT_TEST_IN_A_MOUNT_NAMESPACE"
	if os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestKeepWithoutSpace$", "-test.v")
		again.Env = append(os.Environ(), inside+"=yes")
		again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	g := NewWithT(t)
	small := t.TempDir()
	g.Expect(unix.Mount("tmpfs", small, "tmpfs", 0, "size=8m")).To(Succeed())
	defer func() { _ = unix.Unmount(small, unix.MNT_DETACH) }()
	var notices []string
	m := Machine{Kernel: kernel, Cache: small, Notice: func(n string) { notices = append(notices, n) }}
	_, result, err := run(t, m, build(t).does("report", "3"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Status).To(Equal(3))
	g.Expect(notices).To(ConsistOf(And(ContainSubstring("cannot be kept in "+small), ContainSubstring("No space left on device"))))
	g.Expect(os.ReadDir(small)).To(BeEmpty())
}

// Of two processes that keep the same machine one does. What it has kept is not
// touched by one that comes too late.
func TestKeepAtTheSameTime(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "new", "a.machine")
	first, err := createState(path)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = createState(path)
	g.Expect(err).To(MatchError(unix.EWOULDBLOCK))
	first.discard()
	second, err := createState(path)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = second.file.WriteString("what QEMU writes")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second.complete(shape{})).To(Succeed())
	third, err := createState(path)
	g.Expect(err).NotTo(HaveOccurred(), "another file, although the second has the lock of its own")
	second.discard()
	g.Expect(path + partialSuffix).To(BeAnExistingFile())
	third.discard()
	g.Expect(filepath.Glob(filepath.Join(filepath.Dir(path), "*"))).To(ConsistOf(path))
	_, err = openState(path, shape{})
	g.Expect(err).NotTo(HaveOccurred())
}

func TestPrune(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	path := func(i int) string { return filepath.Join(folder, string(rune('a'+i))+stateSuffix) }
	for i := range mostKept + 2 {
		g.Expect(os.WriteFile(path(i), nil, 0o600)).To(Succeed())
		used := time.Unix(int64(1000*i), 0)
		g.Expect(os.Chtimes(path(i), used, used)).To(Succeed())
	}
	g.Expect(os.WriteFile(path(0)+partialSuffix, []byte("a part"), 0o600)).To(Succeed())
	kept, err := createState(filepath.Join(folder, "kept"+stateSuffix))
	g.Expect(err).NotTo(HaveOccurred())
	defer kept.discard()
	other := filepath.Join(folder, "other")
	g.Expect(os.WriteFile(other, nil, 0o600)).To(Succeed())
	prune(folder)
	for i := range mostKept + 2 {
		if i < 2 {
			g.Expect(path(i)).NotTo(BeAnExistingFile())
		} else {
			g.Expect(path(i)).To(BeAnExistingFile())
		}
	}
	g.Expect(other).To(BeAnExistingFile())
	g.Expect(path(0) + partialSuffix).NotTo(BeAnExistingFile())
	g.Expect(kept.path+partialSuffix).To(BeAnExistingFile(), "it is being kept")
}

func FuzzStateHeader(f *testing.F) {
	f.Add([]byte(`{"format":"finwait machine 1","shape":{"QEMU":"7"},"size":3,"crc":5}`))
	f.Add([]byte(`{"format":"finwait machine 2"}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, begin []byte) {
		file := slices.Concat(begin, make([]byte, stateOffset))
		header, err := readStateHeader(strings.NewReader(string(file)))
		if err == nil && header.Format != stateFormat {
			t.Errorf("%q was taken for a header", begin)
		}
		if err := checkState(strings.NewReader(string(begin)), shape{}); err == nil && len(begin) < stateOffset {
			t.Errorf("%q was taken for a machine", begin)
		}
	})
}

func oldestAndNewest(tb testing.TB) []kernel.Image {
	tb.Helper()
	all := cachedKernels(tb)
	return slices.CompactFunc([]kernel.Image{all[0], all[len(all)-1]}, func(a, b kernel.Image) bool { return a.Vmlinuz == b.Vmlinuz })
}

func theOnlyState(t *testing.T, folder string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(paths) != 1 || !strings.HasSuffix(paths[0], stateSuffix) {
		t.Fatalf("kept were %q (%v)", paths, err)
	}
	return paths[0]
}

func overwrite(t *testing.T, path string, at int64, with []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(with, at); err != nil {
		t.Fatal(err)
	}
}

func rewriteHeader(t *testing.T, path string, change func(*stateHeader)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	header, err := readStateHeader(file)
	if err != nil {
		t.Fatal(err)
	}
	change(&header)
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, 0, append(text, make([]byte, stateOffset-len(text))...))
}

// rewriteState puts something else behind a header that vouches for it.
func rewriteState(t *testing.T, path string, content []byte) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	header, err := readStateHeader(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	state, err := createState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer state.discard()
	if _, err := state.file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := state.complete(header.Shape); err != nil {
		t.Fatal(err)
	}
}
