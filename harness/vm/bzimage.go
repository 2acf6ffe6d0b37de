package vm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// checkBzImage says whether the file is a whole x86 kernel: QEMU runs whatever
// it is given, and then nothing ever happens.
func checkBzImage(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	begin := make([]byte, setupHeaderEnd)
	n, err := io.ReadFull(file, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err := checkSetupHeader(begin[:n], info.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// setupHeaderEnd is where the part of the setup header ends that is looked at.
const setupHeaderEnd = 0x206

// checkSetupHeader checks the first bytes of a file of some size against the
// boot protocol (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
func checkSetupHeader(begin []byte, size int64) error {
	if len(begin) < setupHeaderEnd || string(begin[0x202:0x206]) != "HdrS" {
		return errors.New("it has no x86 setup header")
	}
	setupSectors := int64(begin[0x1f1])
	if setupSectors == 0 {
		setupSectors = 4
	}
	paragraphs := int64(binary.LittleEndian.Uint32(begin[0x1f4:]))
	if whole := (1+setupSectors)*512 + paragraphs*16; size < whole {
		return fmt.Errorf("it was cut short: it has %d bytes of at least %d", size, whole)
	}
	return nil
}
