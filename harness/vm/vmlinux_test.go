package vm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"
	"github.com/pierrec/lz4/v4"
)

// Each of the cached kernels is taken out of its bzImage.
func TestUncompressed(t *testing.T) {
	for _, k := range oldestAndNewest(t) {
		g := NewWithT(t)
		image, err := os.ReadFile(k.Vmlinuz)
		g.Expect(err).NotTo(HaveOccurred())
		vmlinux, err := uncompressed(image)
		g.Expect(err).NotTo(HaveOccurred(), k.Release)
		g.Expect(bytes.Contains(vmlinux, []byte("Linux version "+k.Release))).To(BeTrue(), k.Release)
	}
}

func TestUncompressedFromEach(t *testing.T) {
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		},
		"lz4": func(w io.Writer) io.WriteCloser {
			z := lz4.NewWriter(w)
			if err := z.Apply(lz4.LegacyOption(true)); err != nil {
				t.Fatal(err)
			}
			return z
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			vmlinux, err := uncompressed(bzImageOf(t, tinyKernel("Xen", phys32Entry), pack))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(vmlinux).To(Equal(tinyKernel("Xen", phys32Entry)))
		})
	}
}

func TestNotUncompressed(t *testing.T) {
	stored := func(w io.Writer) io.WriteCloser { return unpacked{w} }
	zipped := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	good := bzImageOf(t, tinyKernel("Xen", phys32Entry), zipped)
	spoilt := func(at int, value uint32) []byte {
		image := bytes.Clone(good)
		binary.LittleEndian.PutUint32(image[at:], value)
		return image
	}
	for name, c := range map[string]struct {
		image []byte
		want  string
	}{
		"another way":       {bzImageOf(t, tinyKernel("Xen", phys32Entry), stored), "takes long, or that is not known"},
		"an old protocol":   {endlessKernel()[:3072], "not where it should be"},
		"an older protocol": {spoilt(0x206, 0x0207), "older than 2.08"},
		"beyond the file":   {spoilt(0x248, 1<<31), "not where it should be"},
		"much too large":    {spoilt(len(good)-4, 1<<30), "octets uncompressed"},
		"larger than it is": {spoilt(len(good)-4, 1<<20), "decompress the kernel"},
		"not an ELF file":   {bzImageOf(t, bytes.Repeat([]byte("no kernel"), 99), zipped), "bad magic number"},
		"no entry point":    {bzImageOf(t, tinyKernel("Xen", 17), zipped), "no PVH entry point"},
		"another's note":    {bzImageOf(t, tinyKernel("Zen", phys32Entry), zipped), "no PVH entry point"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := uncompressed(c.image)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

// FuzzUncompressed checks that whatever comes out is a kernel that can be entered.
func FuzzUncompressed(f *testing.F) {
	f.Add(endlessKernel())
	f.Add(bzImageOf(f, tinyKernel("Xen", phys32Entry), func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }))
	f.Fuzz(func(t *testing.T, image []byte) {
		if vmlinux, err := uncompressed(image); err == nil && checkPVH(vmlinux) != nil {
			t.Errorf("%d octets were taken for a kernel", len(vmlinux))
		}
	})
}

type unpacked struct{ io.Writer }

func (unpacked) Close() error { return nil }

// bzImageOf is a bzImage that holds a packed kernel.
func bzImageOf(tb testing.TB, vmlinux []byte, pack func(io.Writer) io.WriteCloser) []byte {
	tb.Helper()
	var payload bytes.Buffer
	packer := pack(&payload)
	if _, err := packer.Write(vmlinux); err != nil {
		tb.Fatal(err)
	}
	if err := packer.Close(); err != nil {
		tb.Fatal(err)
	}
	whole := binary.LittleEndian.AppendUint32(payload.Bytes(), uint32(len(vmlinux)))
	image := append(endlessKernel(), whole...)
	binary.LittleEndian.PutUint32(image[0x248:], 2048)
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(whole)))
	return image
}

// tinyKernel is an ELF file of nothing but a note.
func tinyKernel(owner string, kind uint32) []byte {
	var file bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(&file, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	const headerSize, partSize, noteSize = 64, 56, 12 + 4 + 4
	file.WriteString("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	write(uint16(2), uint16(62), uint32(1), uint64(0), uint64(headerSize), uint64(0), uint32(0))
	write(uint16(headerSize), uint16(partSize), uint16(1), uint16(0), uint16(0), uint16(0))
	write(uint32(4), uint32(4), uint64(headerSize+partSize), uint64(0), uint64(0), uint64(noteSize), uint64(noteSize), uint64(4))
	write(uint32(len(owner)+1), uint32(4), kind, []byte(owner+"\x00"), uint32(0x1000000))
	return file.Bytes()
}
