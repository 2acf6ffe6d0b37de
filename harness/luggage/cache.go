package luggage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// cachePath is where ld.so(8) looks up where libraries are. It does not read ld.so.conf,
// and the machine's own knows nothing of trees.
const cachePath = "/etc/ld.so.cache"

// A library is one that a cache tells the path of.
type library struct {
	name string
	path string
	arch string
}

// flags are those of a library of glibc 2 for a 64-bit processor (glibc,
// sysdeps/generic/ldconfig.h).
var flags = map[string]uint32{amd64: 0x0303, arm64: 0x0a03}

// The file's header, and what it has of each library (glibc, sysdeps/generic/dl-cache.h).
type (
	cacheHeader struct {
		Magic     [17]byte
		Version   [3]byte
		Libraries uint32
		Strings   uint32 // octets
		Flags     uint8  // 2 is little-endian
		_         [3]byte
		Extension uint32
		_         [3]uint32
	}
	cacheEntry struct {
		Flags     uint32
		Name      uint32 // an offset from the beginning of the file, as is the next
		Path      uint32
		OSVersion uint32
		Hwcap     uint64
	}
)

// encodeCache makes a cache as ldconfig(8) does, from glibc 2.2 on. Where several
// libraries have the same name, the first counts.
func encodeCache(libraries []library) []byte {
	sorted := slices.Clone(libraries)
	slices.SortStableFunc(sorted, func(a, b library) int {
		return cmp.Or(compareNames(b.name, a.name), cmp.Compare(a.arch, b.arch))
	})
	sorted = slices.CompactFunc(sorted, func(a, b library) bool { return a.name == b.name && a.arch == b.arch })
	var header cacheHeader
	copy(header.Magic[:], "glibc-ld.so.cache")
	copy(header.Version[:], "1.1")
	header.Libraries, header.Flags = uint32(len(sorted)), 2
	begin := binary.Size(header) + len(sorted)*binary.Size(cacheEntry{})
	var names bytes.Buffer
	add := func(name string) (offset uint32) {
		offset = uint32(begin + names.Len())
		names.WriteString(name + "\x00")
		return offset
	}
	entries := make([]cacheEntry, len(sorted))
	for i, l := range sorted {
		entries[i] = cacheEntry{Flags: flags[l.arch], Name: add(l.name), Path: add(l.path)}
	}
	header.Strings = uint32(names.Len())
	var file bytes.Buffer
	_ = binary.Write(&file, binary.LittleEndian, header) // a buffer takes all
	_ = binary.Write(&file, binary.LittleEndian, entries)
	_, _ = names.WriteTo(&file)
	return file.Bytes()
}

// compareNames orders names as ld.so(8) searches for them: numbers in them by their value
// (glibc, elf/dl-cache.c, _dl_cache_libcmp).
func compareNames(a, b string) int {
	for a != "" && b != "" {
		digitsA, digitsB := digits(a), digits(b)
		switch {
		case digitsA > 0 && digitsB > 0:
			x, y := strings.TrimLeft(a[:digitsA], "0"), strings.TrimLeft(b[:digitsB], "0")
			if order := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); order != 0 {
				return order
			}
			a, b = a[digitsA:], b[digitsB:]
		case digitsA > 0:
			return 1
		case digitsB > 0:
			return -1
		case a[0] != b[0]:
			return cmp.Compare(a[0], b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return cmp.Compare(len(a), len(b))
}

// digits is how many decimal digits a text begins with.
func digits(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }
