package vm

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

func TestInitramfs(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	payload, modules := files(t)
	initramfs, err := Machine{}.newInitramfs(payload, modules)
	g.Expect(err).NotTo(HaveOccurred())
	defer initramfs.Close()
	g.Expect(temporaryFiles()).To(BeEmpty(), "the file has a name")

	archive, err := cpio.ArchiveFromReader(cpio.Newc.Reader(initramfs))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archive.Order).To(Equal([]string{
		"dev", "dev/console", "root", "finwait", "finwait/modules", "finwait/bin",
		"finwait/modules/veth.ko", "finwait/modules/sch_netem.ko", "finwait/plan.json", "init", "finwait/bin/suite",
	}))
	console := archive.Files["dev/console"].Info
	g.Expect([]uint64{console.Mode, console.Rmajor, console.Rminor}).To(Equal([]uint64{cpio.S_IFCHR | 0o600, 5, 1}))
	for name, content := range map[string]string{
		"init": "init's code", "finwait/bin/suite": "the suite's code",
		"finwait/modules/veth.ko": "veth's code", "finwait/modules/sch_netem.ko": "netem's code",
	} {
		g.Expect(contentOf(t, archive, name)).To(Equal(content))
	}
	for _, program := range []string{"init", "finwait/bin/suite"} {
		g.Expect(archive.Files[program].Mode).To(BeEquivalentTo(cpio.S_IFREG | 0o755))
	}

	path := filepath.Join(t.TempDir(), "plan")
	g.Expect(os.WriteFile(path, []byte(contentOf(t, archive, "finwait/plan.json")), 0o644)).To(Succeed())
	g.Expect(guest.ReadPlan(path)).To(Equal(guest.Plan{
		Port:    "/dev/ttyS1",
		Modules: []guest.Module{{Name: "veth", Path: "/finwait/modules/veth.ko"}, {Name: "sch_netem", Path: "/finwait/modules/sch_netem.ko"}},
		Program: guest.Program{Path: "/finwait/bin/suite", Env: []string{"A=b"}},
	}))
}

func TestInitramfsFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, c := range map[string]struct {
		spoil func(*Payload, []kernel.Module)
		want  string
	}{
		"no init":        {func(p *Payload, _ []kernel.Module) { p.Init += ".no" }, "the guest's init: open "},
		"folder as init": {func(p *Payload, _ []kernel.Module) { p.Init = filepath.Dir(p.Init) }, "is not a file"},
		"no module":      {func(_ *Payload, m []kernel.Module) { m[1].Path += ".no" }, "module sch_netem"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			payload, modules := files(t)
			c.spoil(&payload, modules)
			_, err := Machine{}.newInitramfs(payload, modules)
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(temporaryFiles()).To(BeEmpty())
		})
	}
}

func TestInitramfsWithoutSpace(t *testing.T) {
	g := NewWithT(t)
	payload, modules := files(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	g.Expect(err).NotTo(HaveOccurred())
	defer full.Close()
	g.Expect(writeInitramfs(full, "/dev/ttyS1", payload, modules)).To(MatchError(syscall.ENOSPC))
	g.Expect(temporaryError("it", syscall.ENOSPC)).To(MatchError(ContainSubstring("point TMPDIR to")))
}

func TestInitramfsWithoutFolder(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	payload, modules := files(t)
	_, err := Machine{}.newInitramfs(payload, modules)
	g.Expect(err).To(MatchError(fs.ErrNotExist))
}

// temporaryFiles lists those that the package has left behind.
func temporaryFiles() ([]string, error) {
	return filepath.Glob(filepath.Join(os.TempDir(), "finwait-*"))
}

// files makes a payload and two modules.
func files(t *testing.T) (Payload, []kernel.Module) {
	t.Helper()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	payload := Payload{
		Init:   file("init.static", "init's code"),
		Binary: file("suite", "the suite's code"),
		Args:   []string{"--record"},
		Env:    []string{"A=b"},
	}
	modules := []kernel.Module{
		{Name: "veth", Path: file("veth.ko", "veth's code")},
		{Name: "sch_netem", Path: file("sch-netem.ko", "netem's code")},
	}
	return payload, modules
}

func contentOf(t *testing.T, archive *cpio.Archive, name string) string {
	t.Helper()
	record, ok := archive.Get(name)
	if !ok {
		t.Fatalf("no %s in the archive", name)
	}
	var content strings.Builder
	if _, err := io.Copy(&content, io.NewSectionReader(record, 0, int64(record.FileSize))); err != nil {
		t.Fatal(err)
	}
	return content.String()
}
