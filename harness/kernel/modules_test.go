package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"
	"github.com/ulikunitz/xz"
)

// makeModule builds an ELF file whose only section, apart from that of the names,
// is .modinfo.
func makeModule(modinfo string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	const headerSize, sectionSize = 64, 64
	modinfoAt := uint64(headerSize)
	namesAt := modinfoAt + uint64(len(modinfo))
	var ko bytes.Buffer
	write := func(value any) {
		if err := binary.Write(&ko, binary.LittleEndian, value); err != nil {
			panic(err)
		}
	}
	write(elf.Header64{
		Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_REL),
		Machine:   uint16(elf.EM_X86_64),
		Version:   uint32(elf.EV_CURRENT),
		Shoff:     namesAt + uint64(len(names)),
		Ehsize:    headerSize,
		Shentsize: sectionSize,
		Shnum:     3,
		Shstrndx:  2,
	})
	ko.WriteString(modinfo)
	ko.WriteString(names)
	write(elf.Section64{})
	write(elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: modinfoAt, Size: uint64(len(modinfo))})
	write(elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names))})
	return ko.Bytes()
}

func needing(depends string) []byte {
	return makeModule("license=GPL\x00depends=" + depends + "\x00retpoline=Y\x00name=x\x00")
}

func packed(t *testing.T, name string, ko []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	var w io.WriteCloser
	var err error
	switch filepath.Ext(name) {
	case ".xz":
		w, err = xz.NewWriter(&packed)
	case ".zst":
		w, err = zstd.NewWriter(&packed)
	case ".gz":
		w = gzip.NewWriter(&packed)
	default:
		return ko
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(ko); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// makeImage writes a kernel's modules, given by their path below its folder.
func makeImage(t *testing.T, modules map[string][]byte) Image {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("modules.builtin", []byte("kernel/net/ipv4/inet-lro.ko\nkernel/net/packet/af_packet.ko\n"))
	write("modules.order", []byte("kernel/net/sched/sch_prio.ko\n"))
	for name, ko := range modules {
		write(name, packed(t, name, ko))
	}
	return Image{Source: "debian/trixie", Release: "6.12.1-cloud-amd64", Modules: folder}
}

func names(modules []Module) []string {
	var names []string
	for _, m := range modules {
		names = append(names, m.Name)
	}
	return names
}

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	image := makeImage(t, map[string][]byte{
		"kernel/net/ipv4/tcp_diag.ko.xz":          needing("inet_diag"),
		"kernel/net/ipv4/inet_diag.ko.xz":         needing(""),
		"kernel/net/sched/sch_prio.ko.zst":        needing(""),
		"kernel/drivers/net/veth.ko.gz":           needing("af-packet,inet_lro"),
		"kernel/drivers/virtio/virtio_ring.ko":    needing("virtio"),
		"kernel/drivers/virtio/virtio.ko":         needing(""),
		"kernel/drivers/char/virtio-console.ko":   needing("virtio-ring,virtio"),
		"kernel/drivers/block/virtio_blk.ko":      needing("virtio,virtio_ring"),
		"kernel/broken.ko":                        []byte("not a module"),
		"kernel/needs_more.ko":                    needing("sch_absent"),
		"kernel/a.ko":                             needing("b"),
		"kernel/b.ko":                             needing("a"),
		"kernel/net/sched/sch_netem.ko":           needing("broken"),
		"updates/dkms/sch_netem.ko":               needing(""),
		"kernel/net/sched/not_a_module.ko.backup": nil,
	})
	for ask, want := range map[string]string{
		"":                          "",
		"sch_prio":                  "sch_prio",
		"sch-prio sch_prio":         "sch_prio",
		"tcp_diag":                  "inet_diag tcp_diag",
		"inet_diag tcp_diag":        "inet_diag tcp_diag",
		"veth":                      "veth",
		"af_packet":                 "",
		"virtio_console virtio_blk": "virtio virtio_ring virtio_console virtio_blk",
		"a":                         "b a",
		"sch_netem":                 "sch_netem",
	} {
		t.Run(ask, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			order, err := image.LoadOrder(strings.Fields(ask)...)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(strings.Join(names(order), " ")).To(Equal(want))
			for _, module := range order {
				ko, err := module.Read()
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(string(ko)).To(HavePrefix(elf.ELFMAG))
			}
		})
	}
}

func TestMissingModule(t *testing.T) {
	t.Parallel()
	image := makeImage(t, map[string][]byte{"kernel/needs_more.ko": needing("sch-absent")})
	for ask, want := range map[string]struct {
		err  MissingModuleError
		text string
	}{
		"sch-absent": {
			MissingModuleError{Kernel: "debian/trixie (6.12.1-cloud-amd64)", Module: "sch_absent"},
			"kernel debian/trixie (6.12.1-cloud-amd64) has no module sch_absent, neither built in nor as a file: choose a kernel that has it",
		},
		"needs_more": {
			MissingModuleError{Kernel: "debian/trixie (6.12.1-cloud-amd64)", Module: "sch_absent", NeededBy: "needs_more"},
			"kernel debian/trixie (6.12.1-cloud-amd64) has no module sch_absent, which its module needs_more needs: the kernel's package is incomplete",
		},
	} {
		order, err := image.LoadOrder(ask)
		var missing *MissingModuleError
		if !errors.As(err, &missing) || *missing != want.err || err.Error() != want.text || order != nil {
			t.Errorf("%s: got %v, %v", ask, names(order), err)
		}
	}
}

func TestDamagedModules(t *testing.T) {
	t.Parallel()
	good := needing("")
	xz := packed(t, "good.ko.xz", good)
	for file, test := range map[string]struct {
		content []byte
		want    string
	}{
		"text.ko":    {[]byte("not a module"), "not an ELF file"},
		"cut.ko":     {good[:len(good)-1], "not an ELF file"},
		"without.ko": {bytes.Replace(good, []byte(".modinfo\x00"), []byte(".comment\x00"), 1), "no .modinfo section"},
		"cut.ko.xz":  {xz[:len(xz)/2], "unexpected EOF"},
		"raw.ko.xz":  {good, "not an xz stream"},
		"raw.ko.gz":  {good, "not a gzip stream"},
		"raw.ko.zst": {good, "invalid input"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			image := makeImage(t, nil)
			path := filepath.Join(image.Modules, file)
			g.Expect(os.WriteFile(path, test.content, 0o644)).To(Succeed())
			name, _, _ := strings.Cut(file, ".")
			_, err := image.LoadOrder(name)
			g.Expect(err).To(MatchError(SatisfyAll(
				ContainSubstring("module "+name),
				ContainSubstring(path),
				ContainSubstring(test.want),
			)))
		})
	}
}

func TestDamagedImages(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	image := makeImage(t, map[string][]byte{"veth.ko": needing("")})
	g.Expect(os.Remove(filepath.Join(image.Modules, "modules.builtin"))).To(Succeed())
	_, err := image.LoadOrder("veth")
	g.Expect(err).To(MatchError(ContainSubstring("holds no modules.builtin")))
	_, err = Image{Release: "6.12.1", Modules: filepath.Join(image.Modules, "absent")}.LoadOrder("veth")
	g.Expect(err).To(MatchError(ContainSubstring("look for the modules of kernel 6.12.1")))
}

func FuzzDependencies(f *testing.F) {
	f.Add(needing(""))
	f.Add(needing("virtio,virtio-ring"))
	f.Add(makeModule("depends"))
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, ko []byte) {
		names, err := dependencies(ko)
		if err != nil && names != nil {
			t.Errorf("%q come with an error", names)
		}
		for _, name := range names {
			if name == "" || strings.ContainsAny(name, "-,\x00") {
				t.Errorf("the name %q", name)
			}
		}
	})
}

func FuzzDepends(f *testing.F) {
	f.Add("license=GPL\x00depends=virtio,virtio-ring\x00")
	f.Add("depends=,\x00depends=a")
	f.Fuzz(func(t *testing.T, modinfo string) {
		if total := len(strings.Join(depends(modinfo), "")); total > len(modinfo) {
			t.Errorf("%d bytes of names in %d", total, len(modinfo))
		}
	})
}
