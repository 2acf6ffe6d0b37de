package vm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// TestBootARM64 boots the oldest and the newest of the arm64 kernels in the user's
// cache, and has them go on from what was kept.
func TestBootARM64(t *testing.T) {
	kernels := cachedKernelsFor(t, kernel.ARM64)
	payload := buildFor(t, kernel.ARM64)
	newest := kernels[len(kernels)-1]
	t.Run("reports on the real clock", func(t *testing.T) {
		t.Parallel()
		testReport(t, Machine{Kernel: newest, Clock: Real, CPUs: 2, MemoryMiB: 300}, payload)
	})
	for _, k := range slices.CompactFunc([]kernel.Image{kernels[0], newest}, func(a, b kernel.Image) bool { return a.Vmlinuz == b.Vmlinuz }) {
		t.Run("kept "+k.Release, func(t *testing.T) {
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

// A kernel that is packed boots as it does unpacked.
func TestBootPackedARM64(t *testing.T) {
	k := cachedKernelsFor(t, kernel.ARM64)[0]
	g := NewWithT(t)
	image, err := os.ReadFile(k.Vmlinuz)
	g.Expect(err).NotTo(HaveOccurred())
	k.Vmlinuz = filepath.Join(t.TempDir(), "Image.gz")
	g.Expect(os.WriteFile(k.Vmlinuz, zip(image), 0o644)).To(Succeed())
	testReport(t, Machine{Kernel: k}, buildFor(t, kernel.ARM64))
}

func TestARM64Image(t *testing.T) {
	image := make([]byte, 5000)
	copy(image[0x38:], "ARM\x64")
	for name, file := range map[string][]byte{
		"as it is":         image,
		"by gzip":          zip(image),
		"zboot and gzip":   zbootOf(zip(image)),
		"zboot and zstd22": zbootOf(zstandard(t, image)),
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(arm64Image(file)).To(Equal(image))
		})
	}
	packed := zbootOf(zip(image))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":           {nil, "takes long, or that is not known: it begins with "},
		"another way":       {zbootOf([]byte("\xfd7zXZ and so on")), "takes long, or that is not known: it begins with fd377a58"},
		"something else":    {zip(make([]byte, 5000)), "no arm64 Image"},
		"gzip cut short":    {zip(image)[:40], "decompress the kernel: unexpected EOF"},
		"zboot cut short":   {packed[:len(packed)-20], "it was cut short: it has "},
		"a damaged payload": {zbootOf(append(zip(image)[:30], make([]byte, 30)...)), "decompress the kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := arm64Image(c.file)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

// FuzzARM64Image checks that whatever comes out is a kernel.
func FuzzARM64Image(f *testing.F) {
	image := make([]byte, 100)
	copy(image[0x38:], "ARM\x64")
	for _, file := range [][]byte{image, zip(image), zbootOf(zip(image))} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if image, err := arm64Image(file); err == nil && !kernel.IsARM64Image(image) {
			t.Errorf("%d octets were taken for a kernel", len(image))
		}
	})
}

func zip(content []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(content)
	_ = w.Close()
	return packed.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// zbootOf is the EFI zboot form of what is packed, as far as it matters here.
func zbootOf(packed []byte) []byte {
	header := make([]byte, 64)
	copy(header, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(header[8:], uint32(len(header)))
	binary.LittleEndian.PutUint32(header[12:], uint32(len(packed)))
	return append(header, packed...)
}

// What is missing for an architecture is named by the package that has it.
func TestNoQEMUForAnArchitecture(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for arch, want := range map[kernel.Arch]string{
		kernel.AMD64: "the package qemu-system-x86)", kernel.ARM64: "the package qemu-system-arm)", "riscv64": "no kernel for riscv64 can be booted, only for amd64 and arm64",
	} {
		NewWithT(t).Expect(Available(arch)).To(MatchError(ContainSubstring(want)))
	}
	path := filepath.Join(t.TempDir(), "Image")
	NewWithT(t).Expect(os.WriteFile(path, []byte(strings.Repeat("\x00", 0x38)+"ARM\x64"), 0o644)).To(Succeed())
	_, err := Machine{Kernel: kernel.Image{Vmlinuz: path}}.Run(t.Context(), Payload{}, ignore)
	NewWithT(t).Expect(err).To(failFor(NoQEMU))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("the package qemu-system-arm)")))
}
