package vm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// qemuProgram runs what is for amd64, as the endless kernel is.
const qemuProgram = "qemu-system-x86_64"

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
	image[0x236] = 1                                          // xloadflags: XLF_KERNEL_64
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
