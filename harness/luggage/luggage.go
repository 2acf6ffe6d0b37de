// Package luggage packs what programs need in a guest: themselves, their interpreters,
// their shared libraries, and what else is brought. Nothing is executed for it.
package luggage

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Luggage is files, folders and links, each with the path that it has in the guest.
type Luggage struct {
	entries map[string]entry
	arch    string
}

// own is what a guest has itself: what the kernel shows there, and what finwait puts
// there before any luggage is brought.
var own = []string{"/dev", "/proc", "/sys", "/init", "/finwait"}

// lookups are the files by which programs look up users, hosts, ports, protocols and the
// time zone (getpwnam(3), getaddrinfo(3), getservbyname(3), getprotobyname(3), tzset(3)),
// often without telling where one is missing. Those that exist are always brought.
var lookups = []string{
	"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/services", "/etc/protocols", "/etc/localtime",
}

// Pack finds all that the files and folders at the paths need, which are absolute. A
// folder brings all that is in it. A program brings what it is started with: an ELF file
// its interpreter and shared libraries, and a script the program of its #! line with
// those. So does an ELF file in a folder, a module for instance, but not a script: what
// starts it, or whether anything does, is not known.
//
// Trees are folders of unpacked packages, which are laid over the machine's own files:
// each path is taken from the first that has it, and in the end from the machine. Links
// are brought as links, with what they lead to. Where a link in a folder leads to nothing,
// to what the guest has itself, or to a folder that it is in, it is brought alone. Devices,
// sockets and pipes are left out of folders, and refused where a path leads to one.
//
// What belongs to the calling user belongs to root in the guest.
//
// The error says which path, or which library of which file, was not found, and where it
// was looked for; that the guest has a path itself; or that programs are for several
// architectures, or for one that no guest has.
func Pack(trees, paths []string) (*Luggage, error) {
	var roots []string
	for _, tree := range trees {
		if filepath.Clean(tree) != "/" {
			roots = append(roots, tree)
		}
	}
	return pack(view{append(roots, "/")}, paths)
}

func pack(from view, paths []string) (*Luggage, error) {
	p := newPacker(from)
	for _, named := range paths {
		if err := p.bring(named); err != nil {
			return nil, fmt.Errorf("pack %s: %w", named, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", strings.Join(paths, ", "), err)
	}
	return &Luggage{entries: p.entries, arch: p.arch}, nil
}

// Size is what the files hold, in octets.
func (l *Luggage) Size() int64 {
	var size int64
	for e := range maps.Values(l.entries) {
		size += e.size
	}
	return size
}

// Paths are those of all files, folders and links, in the order of the archive.
func (l *Luggage) Paths() []string { return slices.Sorted(maps.Keys(l.entries)) }

// Arch is the architecture that the programs are for, by the name that Go and Debian have
// for it; nothing where no path leads to one of the ELF.
func (l *Luggage) Arch() string { return l.arch }

// isOwn reports whether a guest has what is at a path itself.
func isOwn(name string) bool {
	return slices.ContainsFunc(own, func(o string) bool { return within(name, o) })
}

// within reports whether a path is that of a folder, or of something in it.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(path.Clean(folder), "/")+"/")
}
