package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A guest gets the programs that are brought, with all that they need, and the same kept
// machine goes on with different ones.
func TestLuggage(t *testing.T) {
	for _, k := range oldestAndNewest(t) {
		t.Run(k.Release, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			payload := build(t)
			m := Machine{Kernel: k, Cache: t.TempDir(), Notice: func(n string) { t.Error(n) }}
			for i, text := range []string{"one", "two"} {
				tree := t.TempDir()
				bring(t, tree, "srv/text", text)
				bring(t, tree, "tmp/script", "#!/bin/sh\ncat /srv/text; id -un; ls -d /bin/\n")
				does := payload.does("execute", "/tmp/script")
				does.Luggage = pack(t, tree, "/tmp/script", "/srv/text", "/bin/cat", "/usr/bin/id", "/bin/ls")
				lines, result, err := run(t, m, does)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(result.Resumed).To(Equal(i > 0))
				g.Expect(lines).To(ConsistOf(`"` + text + `root\n/bin/\n"`))
			}
			lines, result, err := run(t, m, payload.does("execute", "/bin/cat", "/srv/text"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(result.Resumed).To(BeTrue(), "and with none")
			g.Expect(lines).To(ConsistOf(ContainSubstring("no such file or directory")))
		})
	}
}

// The initramfs is the same with luggage and without: it brings no more than was asked
// for, and no machine is kept for it.
func TestLuggageIsApart(t *testing.T) {
	g := NewWithT(t)
	payload, modules := files(t)
	tree := t.TempDir()
	bring(t, tree, "srv/text", strings.Repeat("text", 1000))
	m := Machine{Kernel: kernel.Image{Vmlinuz: payload.Init}, Cache: t.TempDir()}
	without, err := m.prepare("true", payload, modules)
	g.Expect(err).NotTo(HaveOccurred())
	defer without.close()
	payload.Luggage = pack(t, tree, "/srv/text")
	with, err := m.prepare("true", payload, modules)
	g.Expect(err).NotTo(HaveOccurred())
	defer with.close()
	g.Expect(with.shape).To(Equal(without.shape))
	g.Expect(m.statePath(with)).To(Equal(m.statePath(without)))
	g.Expect(without.luggage.packed).To(BeZero())
	g.Expect(with.luggage.packed).To(BeNumerically("~", payload.Luggage.Size(), 200*len(payload.Luggage.Paths())))
	for _, p := range []*parts{without, with} {
		info, err := p.luggage.file.Stat()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(info.Size()).To(BeEquivalentTo(guest.LuggageSize))
	}
}

// What init and the initramfs have in the guest, no luggage has.
func TestLuggageLeavesInitAlone(t *testing.T) {
	tree := t.TempDir()
	for _, path := range []string{guest.Folder, guest.PlanPath, guest.ModulesPath, guest.ProgramPath, guest.DiskPath, "/init", "/proc", "/sys"} {
		bring(t, tree, path+"/x", "")
		_, err := luggage.Pack([]string{tree}, []string{path + "/x"})
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring("the guest has its own")))
	}
}

func TestMemory(t *testing.T) {
	g := NewWithT(t)
	const MiB = 1 << 20
	for _, c := range []struct {
		initramfs, luggage int64
		want               int
	}{
		{16 * MiB, 0, 256},
		{80 * MiB, 0, 320},
		{16 * MiB, 40 * MiB, 256},
		{16 * MiB, 41 * MiB, 512},
		{16 * MiB, 128 * MiB, 512},
		{16 * MiB, 129 * MiB, 1024},
		{16 * MiB, 600 * MiB, 2048},
	} {
		g.Expect(Machine{}.memoryMiB(c.initramfs, c.luggage)).To(Equal(c.want), fmt.Sprint(c))
	}
	g.Expect(Machine{MemoryMiB: 100}.memoryMiB(1<<30, 1<<30)).To(Equal(100))
	g.Expect(MemoryMiB(nil)).To(Equal(256))
	tree := t.TempDir()
	bring(t, tree, "srv/large", strings.Repeat("x", 41*MiB))
	g.Expect(MemoryMiB(pack(t, tree, "/srv/large"))).To(Equal(512))
}

// Programs for another architecture than the kernel's are refused before anything boots.
func TestLuggageOfAnotherArchitecture(t *testing.T) {
	g := NewWithT(t)
	payload := Payload{Luggage: pack(t, t.TempDir(), "/bin/sh")}
	other := kernel.ARM64
	image := strings.Repeat("\x00", 0x38) + "ARM\x64"
	if kernel.Native() == kernel.ARM64 {
		other, image = kernel.AMD64, string(endlessKernel())
	}
	path := filepath.Join(t.TempDir(), "vmlinuz")
	g.Expect(os.WriteFile(path, []byte(image), 0o644)).To(Succeed())
	_, err := Machine{Kernel: kernel.Image{Vmlinuz: path}}.Run(t.Context(), payload, ignore)
	g.Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf(
		"the programs that are brought are for %s, and the kernel is for %s: bring those for %[2]s", kernel.Native(), other))))
}

// What is wrong with the luggage is told: before the boot where it can be known, or by
// init.
func TestLuggageFails(t *testing.T) {
	oldest := cachedKernels(t)[0]
	payload := build(t)
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		tree := t.TempDir()
		bring(t, tree, "srv/large", strings.Repeat("x", 60<<20))
		does := payload.does("execute", "/bin/true")
		does.Luggage = pack(t, tree, "/srv/large")
		_, _, err := run(t, Machine{Kernel: oldest, MemoryMiB: 128}, does)
		g.Expect(err).To(failFor(NotUnpacked))
		g.Expect(err).To(MatchError(And(ContainSubstring("unpack /srv/large: "), ContainSubstring("what is brought takes 60 MiB, and the guest has room for "))))
	})
	t.Run("in the way", func(t *testing.T) {
		t.Parallel()
		g := NewWithT(t)
		tree := t.TempDir()
		bring(t, tree, "run", "no folder")
		does := payload.does("execute", "/bin/true")
		does.Luggage = pack(t, tree, "/run")
		_, _, err := run(t, Machine{Kernel: oldest}, does)
		g.Expect(err).To(failFor(NotUnpacked))
		g.Expect(err).To(MatchError(ContainSubstring("unpack /run: open /run: file exists")))
	})
}

// pack packs what is in a tree or on this machine.
func pack(t *testing.T, tree string, paths ...string) *luggage.Luggage {
	t.Helper()
	l, err := luggage.Pack([]string{tree}, paths)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return l
}

// bring puts a file into a tree.
func bring(t *testing.T, tree, path, content string) {
	t.Helper()
	g := NewWithT(t)
	path = filepath.Join(tree, path)
	g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(path, []byte(content), 0o755)).To(Succeed())
}
