package kernel

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content []byte
		want    Arch
	}{
		"a bzImage":                {bzImage(), AMD64},
		"an old bzImage":           {spoilt(spoilt(bzImage(), 0x206, 0x0b), 0x236, 0), AMD64},
		"an arm64 Image":           {arm64Image(peARM64), ARM64},
		"one without an EFI stub":  {bytes.Replace(arm64Image(peARM64), []byte("MZ"), []byte("\x00\x00"), 1), ARM64},
		"an arm64 Image by gzip":   {gzipped(arm64Image(peARM64)), ARM64},
		"the EFI zboot form of it": {zboot(peARM64), ARM64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			path := filepath.Join(t.TempDir(), "vmlinuz")
			g.Expect(os.WriteFile(path, c.content, 0o644)).To(Succeed())
			g.Expect(Identify(path)).To(Equal(c.want))
		})
	}
}

func TestIdentifyRefuses(t *testing.T) {
	t.Parallel()
	random := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	const neither = "it is neither an x86 bzImage nor an arm64 Image"
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"text":                 {[]byte("not a kernel\n"), neither},
		"random":               {random, neither},
		"empty":                {nil, neither},
		"a short bzImage":      {bzImage()[:2000], "cut short: it has 2000 bytes of at least 3072"},
		"only its header":      {bzImage()[:0x210], "cut short: it has 528 bytes"},
		"for 32 bits":          {spoilt(bzImage(), 0x236, 0), "it is for 32 bits: take an x86-64 kernel"},
		"a vmlinux":            {[]byte("\x7fELF and so on"), "arch/x86/boot/bzImage or arch/arm64/boot/Image"},
		"a short Image":        {arm64Image(peARM64)[:1500], "cut short: it has 1500 bytes of at least 2048"},
		"a short zboot":        {zboot(peARM64)[:1500], "cut short: it has 1500 bytes of at least 2048"},
		"a zboot for RISC-V":   {zboot(0x5064), "for another architecture (machine 0x5064"},
		"a zboot without EFI":  {zboot(peARM64)[:0x40], "its EFI header is damaged"},
		"something by gzip":    {gzipped(make([]byte, 100)), neither},
		"little by gzip":       {gzipped([]byte("x")), "decompress its beginning: unexpected EOF"},
		"a damaged gzip":       {[]byte("\x1f\x8b\x99"), "its gzip header is damaged"},
		"gzip that is cut off": {gzipped(random)[:20], "decompress its beginning"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "vmlinuz")
			g := NewWithT(t)
			g.Expect(os.WriteFile(path, c.content, 0o644)).To(Succeed())
			_, err := Identify(path)
			g.Expect(err).To(MatchError(And(ContainSubstring(path), ContainSubstring(c.want))))
		})
	}
	g := NewWithT(t)
	_, err := Identify(filepath.Join(t.TempDir(), "missing"))
	g.Expect(err).To(MatchError(os.ErrNotExist))
	_, err = Identify(t.TempDir())
	g.Expect(err).To(MatchError(ContainSubstring("it is not a file")))
}

// FuzzIdentify checks that nothing is taken for a kernel that has none of the
// magic numbers.
func FuzzIdentify(f *testing.F) {
	for _, file := range [][]byte{bzImage(), arm64Image(peARM64), gzipped(arm64Image(peARM64)), zboot(peARM64), []byte("text")} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		arch, err := identify(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		magic := false
		for _, m := range []string{"HdrS", arm64Magic, "zimg", "\x1f\x8b"} {
			magic = magic || bytes.Contains(file, []byte(m))
		}
		if !magic || arch != AMD64 && arch != ARM64 {
			t.Errorf("%q was taken for a kernel for %q", file, arch)
		}
	})
}

// bzImage has an x86 setup header, one setup sector and 2 KiB of nothing.
func bzImage() []byte {
	image := make([]byte, 2*512+2048)
	image[0x1f1] = 1                                      // setup_sects
	binary.LittleEndian.PutUint32(image[0x1f4:], 2048/16) // syssize
	copy(image[0x202:], "HdrS")                           // header
	binary.LittleEndian.PutUint16(image[0x206:], 0x020c)  // version
	image[0x236] = 1                                      // xloadflags: XLF_KERNEL_64
	return image
}

const peARM64 = 0xaa64 // IMAGE_FILE_MACHINE_ARM64

// arm64Image is a program for EFI with one section, of 1 KiB from there on.
func arm64Image(machine uint16) []byte {
	image := make([]byte, 2048)
	copy(image, "MZ")
	copy(image[arm64MagicAt:], arm64Magic)
	binary.LittleEndian.PutUint32(image[0x3c:], 0x40) // where the PE header is
	copy(image[0x40:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(image[0x44:], machine)
	binary.LittleEndian.PutUint16(image[0x46:], 1) // NumberOfSections
	section := image[0x58:]                        // there is no optional header
	copy(section, ".text")
	binary.LittleEndian.PutUint32(section[16:], 1024) // SizeOfRawData
	binary.LittleEndian.PutUint32(section[20:], 1024) // PointerToRawData
	return image
}

func zboot(machine uint16) []byte {
	image := arm64Image(machine)
	copy(image[arm64MagicAt:], make([]byte, len(arm64Magic)))
	copy(image[4:], "zimg")
	return image
}

func gzipped(content []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(content)
	_ = w.Close()
	return packed.Bytes()
}

func spoilt(image []byte, at int, value byte) []byte {
	image[at] = value
	return image
}
