package kernel

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strings"
)

// dependencies returns the names of the modules that have to be loaded before
// the one in ko, a decompressed ELF file. modpost writes them into the .modinfo
// section, a row of NUL-terminated KEY=VALUE strings, as one "depends" with
// commas between the names (scripts/mod/modpost.c, add_depends).
//
// "softdep" is left alone: it names what modprobe(8) would load beside a module
// and without which the module loads all the same (mostly crypto algorithms).
// Of the modules that a teardown needs none has one.
func dependencies(ko []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(ko))
	if err != nil {
		return nil, fmt.Errorf("not an ELF file: %w", err)
	}
	section := file.Section(".modinfo")
	if section == nil || section.Type == elf.SHT_NOBITS {
		return nil, errors.New("no .modinfo section: not a kernel module")
	}
	modinfo, err := io.ReadAll(io.LimitReader(section.Open(), maxModinfo))
	if err != nil {
		return nil, fmt.Errorf("read the .modinfo section: %w", err)
	}
	return depends(string(modinfo)), nil
}

// maxModinfo bounds the .modinfo section, in bytes: the longest in a Debian
// kernel has some 40 kB, nearly all of it device aliases.
const maxModinfo = 4 << 20

// depends reads the depends= string out of the content of a .modinfo section.
func depends(modinfo string) []string {
	var names []string
	for entry := range strings.SplitSeq(modinfo, "\x00") {
		value, ok := strings.CutPrefix(entry, "depends=")
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(value, ",") {
			if name != "" {
				names = append(names, canonical(name))
			}
		}
	}
	return names
}
