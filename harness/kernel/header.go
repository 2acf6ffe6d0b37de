package kernel

import (
	"compress/gzip"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Identify tells from a kernel's own file for which architecture it is: an x86
// bzImage, or an arm64 Image, as it is, by gzip, or in the EFI zboot form. The error
// says why it is none of them, or that it is not whole: QEMU runs whatever it is
// given, and then nothing ever happens.
func Identify(path string) (Arch, error) {
	file, err := openKernel(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	arch, err := identify(file, info.Size())
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return arch, nil
}

func openKernel(path string) (*os.File, error) {
	file, err := Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the kernel: %w", err)
	}
	return file, nil
}

// headerEnd is where the part of a kernel's file ends that is looked at first.
const headerEnd = 0x240

func identify(file io.ReaderAt, size int64) (Arch, error) {
	begin := make([]byte, headerEnd)
	n, err := file.ReadAt(begin, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	begin = begin[:n]
	switch {
	case hasAt(begin, 0x202, "HdrS"):
		return AMD64, checkSetupHeader(begin, size)
	case hasAt(begin, arm64MagicAt, arm64Magic):
		return ARM64, checkSections(file, size)
	case hasAt(begin, 0, "MZ") && hasAt(begin, 4, "zimg"):
		return checkZboot(file, size)
	case hasAt(begin, 0, "\x1f\x8b"):
		return identifyGzip(io.NewSectionReader(file, 0, size))
	case hasAt(begin, 0, "\x7fELF"):
		return "", errors.New("it is the kernel as an ELF file, vmlinux: take the file that boots, arch/x86/boot/bzImage or arch/arm64/boot/Image")
	}
	return "", errNoKernel
}

var errNoKernel = errors.New("it is neither an x86 bzImage nor an arm64 Image")

func hasAt(begin []byte, at int, magic string) bool {
	return len(begin) >= at+len(magic) && string(begin[at:at+len(magic)]) == magic
}

// checkSetupHeader checks the first bytes of a file of some size against the
// boot protocol (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
func checkSetupHeader(begin []byte, size int64) error {
	if len(begin) < headerEnd {
		return fmt.Errorf("it was cut short: it has %d bytes", size)
	}
	setupSectors := int64(begin[0x1f1])
	if setupSectors == 0 {
		setupSectors = 4
	}
	paragraphs := int64(binary.LittleEndian.Uint32(begin[0x1f4:]))
	if whole := (1+setupSectors)*512 + paragraphs*16; size < whole {
		return fmt.Errorf("it was cut short: it has %d bytes of at least %d", size, whole)
	}
	const kernel64 = 1 // XLF_KERNEL_64 of xloadflags, which came with 2.12
	if version := binary.LittleEndian.Uint16(begin[0x206:]); version >= 0x20c && begin[0x236]&kernel64 == 0 {
		return errors.New("it is for 32 bits: take an x86-64 kernel")
	}
	return nil
}

// An arm64 Image has its magic number here (Documentation/arch/arm64/booting.rst).
const (
	arm64Magic   = "ARM\x64"
	arm64MagicAt = 0x38
)

// IsARM64Image reports whether content begins as an arm64 Image does.
func IsARM64Image(content []byte) bool { return hasAt(content, arm64MagicAt, arm64Magic) }

// checkSections says whether all of an arm64 Image is there. Its header tells how
// much memory it takes, which is more; as a program for EFI (CONFIG_EFI_STUB) it also
// tells of each section where in the file that is.
func checkSections(file io.ReaderAt, size int64) error {
	program, err := pe.NewFile(file)
	if err != nil {
		return nil //nolint:nilerr // it is no program for EFI, and need not be
	}
	for _, s := range program.Sections {
		if whole := int64(s.Offset) + int64(s.Size); size < whole {
			return fmt.Errorf("it was cut short: it has %d bytes of at least %d", size, whole)
		}
	}
	return nil
}

// checkZboot looks at a kernel that a program for EFI decompresses, which may be for
// any architecture (drivers/firmware/efi/libstub/zboot-header.S).
func checkZboot(file io.ReaderAt, size int64) (Arch, error) {
	program, err := pe.NewFile(file)
	if err != nil {
		return "", fmt.Errorf("its EFI header is damaged: %w", err)
	}
	if program.Machine != pe.IMAGE_FILE_MACHINE_ARM64 {
		return "", fmt.Errorf("it is a kernel for another architecture (machine %#x in its EFI header): take one for x86-64 or arm64", program.Machine)
	}
	return ARM64, checkSections(file, size)
}

// identifyGzip looks at what a gzip stream begins with.
func identifyGzip(file io.Reader) (Arch, error) {
	content, err := gzip.NewReader(file)
	if err != nil {
		return "", fmt.Errorf("its gzip header is damaged: %w", err)
	}
	begin := make([]byte, arm64MagicAt+len(arm64Magic))
	if _, err := io.ReadFull(content, begin); err != nil {
		return "", fmt.Errorf("decompress its beginning: %w", err)
	}
	if !IsARM64Image(begin) {
		return "", errNoKernel
	}
	return ARM64, nil
}
