package vm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

func TestCheckBzImage(t *testing.T) {
	folder := t.TempDir()
	random := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"text":   {[]byte("not a kernel\n"), "no x86 setup header"},
		"random": {random, "no x86 setup header"},
		"empty":  {nil, "no x86 setup header"},
		"short":  {endlessKernel()[:2000], "cut short: it has 2000 bytes of at least 3072"},
	} {
		path := filepath.Join(folder, name)
		g := NewWithT(t)
		g.Expect(os.WriteFile(path, c.content, 0o644)).To(Succeed())
		g.Expect(checkBzImage(path)).To(MatchError(And(ContainSubstring(path), ContainSubstring(c.want))))
	}
	g := NewWithT(t)
	g.Expect(checkBzImage(filepath.Join(folder, "missing"))).To(MatchError(os.ErrNotExist))
	g.Expect(checkBzImage(folder)).NotTo(Succeed())
	g.Expect(checkBzImage(writeEndlessKernel(t))).To(Succeed())
}

func FuzzCheckSetupHeader(f *testing.F) {
	f.Add(endlessKernel(), int64(3072))
	f.Add([]byte("text"), int64(4))
	f.Fuzz(func(t *testing.T, begin []byte, size int64) {
		err := checkSetupHeader(begin, size)
		if err == nil && (!bytes.Contains(begin, []byte("HdrS")) || size < 1024) {
			t.Errorf("%q, %d bytes, was taken for a kernel", begin, size)
		}
	})
}

// endlessKernel is a kernel that does nothing for ever: a boot sector, one
// setup sector and 2 KiB of protected-mode code, each part beginning with a
// jump to itself.
func endlessKernel() []byte {
	image := make([]byte, 2*512+2048)
	jumpToItself := []byte{0xeb, 0xfe}
	image[0x1f1] = 1                                          // setup_sects
	binary.LittleEndian.PutUint32(image[0x1f4:], 2048/16)     // syssize
	binary.LittleEndian.PutUint16(image[0x1fe:], 0xaa55)      // boot_flag
	copy(image[0x200:], jumpToItself)                         // where real mode starts
	copy(image[0x202:], "HdrS")                               // header
	binary.LittleEndian.PutUint16(image[0x206:], 0x020c)      // version
	image[0x211] = 1                                          // loadflags: LOADED_HIGH
	binary.LittleEndian.PutUint32(image[0x22c:], 0x7fff_ffff) // initrd_addr_max
	copy(image[1024:], jumpToItself)
	return image
}

func writeEndlessKernel(t *testing.T) string {
	t.Helper()
	path := filepath.Join(openFolder(t), "vmlinuz")
	if err := os.WriteFile(path, endlessKernel(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
