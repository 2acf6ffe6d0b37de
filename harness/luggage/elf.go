package luggage

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// The architectures of guests, by the names that Go and Debian have for them.
const (
	amd64 = "amd64"
	arm64 = "arm64"
)

// An object is what a program or shared library of the ELF says of what it needs
// (elf(5)).
type object struct {
	path        string // by which it is loaded
	machine     elf.Machine
	arch        string // empty for one that no guest has
	interpreter string // empty for a library, and for what is linked statically
	soname      string
	needed      []string
	rpath       []string // as they stand there, and the first only without the second
	runpath     []string
}

// An elfError says why a file that begins as one of the ELF does is none.
type elfError struct {
	path string
	err  error
}

func (e *elfError) Error() string { return fmt.Sprintf("read the ELF file %s: %v", e.path, e.err) }

func (e *elfError) Unwrap() error { return e.err }

// readObject reads a file. It returns nil for one that is not of the ELF.
func readObject(host string) (*object, error) {
	file, err := os.Open(host)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	o, err := parseObject(file)
	if err != nil {
		return nil, &elfError{host, err}
	}
	return o, nil
}

// Limits, in octets, to what is read: of a name (PATH_MAX) or a list of folders, and of
// the dynamic section.
const (
	maxString  = 64 << 10
	maxDynamic = 1 << 20
)

// parseObject goes by the program headers, as the kernel and ld.so(8) do.
func parseObject(file io.ReaderAt) (*object, error) {
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := file.ReadAt(magic, 0); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if string(magic) != elf.ELFMAG {
		return nil, nil
	}
	parsed, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	o := &object{machine: parsed.Machine}
	if parsed.Class == elf.ELFCLASS64 && parsed.Data == elf.ELFDATA2LSB {
		o.arch = map[elf.Machine]string{elf.EM_X86_64: amd64, elf.EM_AARCH64: arm64}[parsed.Machine]
	}
	if o.arch == "" {
		return o, nil // nothing else is asked of it
	}
	for _, segment := range parsed.Progs {
		switch segment.Type {
		case elf.PT_INTERP:
			if o.interpreter, err = stringAt(segment, 0); err != nil {
				return nil, fmt.Errorf("its interpreter: %w", err)
			}
		case elf.PT_DYNAMIC:
			if err := o.parseDynamic(parsed, segment); err != nil {
				return nil, fmt.Errorf("its dynamic section: %w", err)
			}
		}
	}
	return o, nil
}

// parseDynamic reads the names in the dynamic section of a 64-bit file. They are offsets
// into a table of strings, which the section gives the address of.
func (o *object) parseDynamic(file *elf.File, dynamic *elf.Prog) error {
	if dynamic.Filesz > maxDynamic {
		return fmt.Errorf("it has %d octets of at most %d", dynamic.Filesz, maxDynamic)
	}
	content := make([]byte, dynamic.Filesz)
	if _, err := io.ReadFull(dynamic.Open(), content); err != nil {
		return err
	}
	type tagged struct{ tag, value uint64 }
	var all []tagged
	table := uint64(math.MaxUint64)
	for ; len(content) >= 16; content = content[16:] {
		one := tagged{file.ByteOrder.Uint64(content), file.ByteOrder.Uint64(content[8:])}
		if elf.DynTag(one.tag) == elf.DT_NULL {
			break
		}
		if elf.DynTag(one.tag) == elf.DT_STRTAB {
			table = one.value
		}
		all = append(all, one)
	}
	for _, one := range all {
		var into *[]string
		switch elf.DynTag(one.tag) {
		case elf.DT_NEEDED:
			into = &o.needed
		case elf.DT_RPATH:
			into = &o.rpath
		case elf.DT_RUNPATH:
			into = &o.runpath
		case elf.DT_SONAME:
		default:
			continue
		}
		text, err := loadedString(file, table, one.value)
		if err != nil {
			return err
		}
		if into == nil {
			o.soname = text
		} else {
			*into = append(*into, text)
		}
	}
	if o.runpath != nil {
		o.rpath = nil
	}
	return nil
}

// loadedString reads the string that is at an offset from an address in memory.
func loadedString(file *elf.File, address, offset uint64) (string, error) {
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_LOAD && address >= segment.Vaddr && address-segment.Vaddr < segment.Filesz {
			begin := address - segment.Vaddr
			if offset >= segment.Filesz-begin {
				break
			}
			return stringAt(segment, int64(begin+offset))
		}
	}
	return "", errors.New("a name is outside of what is loaded")
}

// stringAt reads a string with an octet 0 at its end.
func stringAt(r io.ReaderAt, at int64) (string, error) {
	for size := 256; size <= maxString; size *= 4 {
		text := make([]byte, size)
		n, err := r.ReadAt(text, at)
		if end := bytes.IndexByte(text[:n], 0); end >= 0 {
			return string(text[:end]), nil
		}
		if err != nil {
			return "", errors.New("a name has no end")
		}
	}
	return "", fmt.Errorf("a name is longer than %d octets", maxString)
}
