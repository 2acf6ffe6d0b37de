package vm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

// openKernel opens what QEMU is to boot: the kernel itself, taken out of what it is
// packed in, where that is quick and the kernel can be entered there; else what the
// file has, whose own code then does the same in the guest, several times as slow. It is
// in a file of its own, which whoever QEMU runs as can be given.
// An x86 kernel is then where it was linked to be: KASLR is the bzImage's.
func (m Machine) openKernel() (*os.File, error) {
	content, err := os.ReadFile(m.Kernel.Vmlinuz)
	if err != nil {
		return nil, err
	}
	if m.arch() == kernel.ARM64 {
		if content, err = arm64Image(content); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Kernel.Vmlinuz, err)
		}
	} else if vmlinux, err := uncompressed(content); err == nil {
		content = vmlinux
	}
	return memoryFile(content)
}

// memoryFile makes a file without a name.
func memoryFile(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("kernel", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file for the kernel: %w", err)
	}
	file := os.NewFile(uintptr(fd), "kernel")
	if _, err := file.Write(content); err != nil {
		file.Close()
		return nil, fmt.Errorf("write the kernel: %w", err)
	}
	return file, nil
}

// arm64Image takes an Image out of what it is packed in: gzip, or the EFI zboot form.
// Nothing in the guest would.
func arm64Image(file []byte) ([]byte, error) {
	if kernel.IsARM64Image(file) {
		return file, nil
	}
	packed := file
	if hasZboot(file) {
		var err error
		if packed, err = zbootPayload(file); err != nil {
			return nil, err
		}
	}
	content, err := decompressor(packed)
	if err != nil {
		return nil, err
	}
	image, err := io.ReadAll(io.LimitReader(content, maxVmlinux+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("decompress the kernel: %w", err)
	case len(image) > maxVmlinux:
		return nil, fmt.Errorf("the kernel has more than %d octets uncompressed", maxVmlinux)
	case !kernel.IsARM64Image(image):
		return nil, errors.New("what is packed in it is no arm64 Image")
	}
	return image, nil
}

func hasZboot(file []byte) bool { return len(file) >= 16 && string(file[4:8]) == "zimg" }

// zbootPayload is the compressed kernel in one of the EFI zboot form
// (drivers/firmware/efi/libstub/zboot-header.S).
func zbootPayload(file []byte) ([]byte, error) {
	begin := int64(binary.LittleEndian.Uint32(file[8:]))
	end := begin + int64(binary.LittleEndian.Uint32(file[12:]))
	if end > int64(len(file)) {
		return nil, fmt.Errorf("it was cut short: it has %d bytes of at least %d", len(file), end)
	}
	return file[begin:end], nil
}
