package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxVmlinux bounds an uncompressed kernel, in octets. Debian's cloud kernels have
// up to 60 MB.
const maxVmlinux = 512 << 20

// uncompressed takes the kernel out of a bzImage (Documentation/arch/x86/boot.rst,
// payload_offset and payload_length). The error says why QEMU cannot boot it as it
// is.
func uncompressed(image []byte) ([]byte, error) {
	if len(image) < 0x250 || string(image[0x202:0x206]) != "HdrS" {
		return nil, errors.New("it has no x86 setup header")
	}
	if version := binary.LittleEndian.Uint16(image[0x206:]); version < 0x208 {
		return nil, errors.New("its boot protocol is older than 2.08, and does not tell where the kernel is")
	}
	setupSectors := int64(max(image[0x1f1], 1))
	begin := (1+setupSectors)*512 + int64(binary.LittleEndian.Uint32(image[0x248:]))
	end := begin + int64(binary.LittleEndian.Uint32(image[0x24c:]))
	if end > int64(len(image)) || end-begin < 8 {
		return nil, errors.New("the kernel is not where it should be")
	}
	// The build appends the uncompressed size, 4 octets (scripts/Makefile.lib,
	// size_append).
	payload := image[begin : end-4]
	size := binary.LittleEndian.Uint32(image[end-4:])
	if size > maxVmlinux {
		return nil, fmt.Errorf("the kernel would have %d octets uncompressed", size)
	}
	content, err := decompressor(payload)
	if err != nil {
		return nil, err
	}
	var vmlinux bytes.Buffer
	vmlinux.Grow(min(int(size), 8*len(payload))) // what is said of the size may be wrong
	if _, err := io.CopyN(&vmlinux, content, int64(size)); err != nil {
		return nil, fmt.Errorf("decompress the kernel: %w", err)
	}
	return vmlinux.Bytes(), checkPVH(vmlinux.Bytes())
}

// decompressor reads what is compressed in one of the quick ways. The rest would
// take longer than the guest does.
func decompressor(payload []byte) (io.Reader, error) {
	r := bytes.NewReader(payload)
	switch {
	case bytes.HasPrefix(payload, []byte{0x1f, 0x8b}):
		return gzip.NewReader(r)
	case bytes.HasPrefix(payload, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxVmlinux))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bytes.HasPrefix(payload, []byte{0x02, 0x21, 0x4c, 0x18}):
		return lz4.NewReader(r), nil
	}
	return nil, fmt.Errorf("the kernel is compressed in a way that takes long, or that is not known: it begins with %x", payload[:min(4, len(payload))])
}

// checkPVH says whether the kernel has the entry point by which QEMU starts an
// uncompressed one (the note XEN_ELFNOTE_PHYS32_ENTRY, which CONFIG_PVH makes).
func checkPVH(vmlinux []byte) error {
	file, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return err
	}
	for _, part := range file.Progs {
		if part.Type != elf.PT_NOTE || part.Filesz > maxNotes {
			continue
		}
		notes, err := io.ReadAll(part.Open())
		if err != nil {
			return err
		}
		if hasNote(notes, file.ByteOrder, "Xen", phys32Entry) {
			return nil
		}
	}
	return errors.New("it has no PVH entry point (CONFIG_PVH)")
}

const (
	phys32Entry = 18 // include/xen/interface/elfnote.h
	maxNotes    = 1 << 20
)

// hasNote looks for a note (elf(5), "Notes").
func hasNote(notes []byte, order binary.ByteOrder, owner string, kind uint32) bool {
	padded := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for len(notes) >= 12 {
		nameSize, contentSize := order.Uint32(notes), order.Uint32(notes[4:])
		found := order.Uint32(notes[8:])
		next := 12 + padded(nameSize) + padded(contentSize)
		if next > uint64(len(notes)) {
			return false
		}
		name := bytes.TrimRight(notes[12:12+nameSize], "\x00")
		if found == kind && string(name) == owner {
			return true
		}
		notes = notes[next:]
	}
	return false
}
