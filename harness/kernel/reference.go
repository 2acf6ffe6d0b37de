package kernel

import (
	"fmt"
	"regexp"
	"strings"
)

// An Origin is where a Reference says that its kernel comes from.
type Origin int

const (
	// Host is the running kernel: no download, no virtual machine.
	Host Origin = iota + 1
	// DebianSuite is the newest cloud kernel of a suite of Debian, security
	// updates included.
	DebianSuite
	// DebianVersion is the cloud kernel of Debian with one package version.
	DebianVersion
	// Packages are files of the format of deb(5) that hold a kernel together.
	Packages
	// Tree is a folder with a kernel and its modules where a distribution has them.
	Tree
	// File is a kernel's own file, and perhaps the folder of its modules.
	File
	// Build is a folder in which a kernel has been built.
	Build
)

// A Reference is a parsed KERNEL argument. Its zero value names no kernel.
type Reference struct {
	Origin Origin
	// Name is the suite of a DebianSuite ("bookworm-backports") or the version
	// of a DebianVersion, with the Debian revision ("6.1.170-1") or without
	// ("6.1.170"). It is a path for a Tree, a File and a Build, and those of
	// Packages, with commas between them. It is empty for the Host.
	Name string
	// Arch is the architecture of a DebianSuite or a DebianVersion, and empty for
	// this machine's own. The others' is that of their file.
	Arch Arch
	// Modules is the folder of a File's modules; empty where all is built in.
	Modules string
}

// forms lists for a human what Parse understands.
const forms = "debian/SUITE (such as debian/trixie), " +
	"debian/VERSION (such as debian/6.1.170-1 or debian/6.1.170), either with :arm64 or :amd64 behind it, " +
	"deb:FILE[,FILE...], dir:ROOT, image:VMLINUZ[,modules=DIR], build:DIR or host"

var (
	// suiteName keeps to what a folder below dists/ is called, so that a suite
	// can stand in a URL and in a path as it is.
	suiteName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	// packageVersion is deb-version(7) without an epoch, which kernel packages
	// do not have.
	packageVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]*(-[0-9A-Za-z.+~]+)*$`)
	// pathName is a path that can stand in a line and in a table as it is.
	pathName = regexp.MustCompile(`^[^\pC]+$`)
)

// prefixes are what the arguments that name files begin with.
var prefixes = map[Origin]string{Packages: "deb:", Tree: "dir:", File: "image:", Build: "build:"}

// modulesOption stands between a File and its modules.
const modulesOption = ",modules="

// Parse reads a KERNEL argument. Its error quotes s and says what it wants, or lists
// the forms that are understood.
func Parse(s string) (Reference, error) {
	if s == "host" {
		return Reference{Origin: Host}, nil
	}
	if name, ok := strings.CutPrefix(s, "debian/"); ok {
		return parseDebian(s, name)
	}
	for origin, prefix := range prefixes {
		if name, ok := strings.CutPrefix(s, prefix); ok {
			return parseFiles(s, origin, name)
		}
	}
	return Reference{}, noKernel(s)
}

func noKernel(s string) error { return fmt.Errorf("%q names no kernel: want %s", s, forms) }

func parseDebian(s, name string) (Reference, error) {
	name, arch, found := strings.Cut(name, ":")
	ref := Reference{Name: name}
	switch {
	case suiteName.MatchString(name):
		ref.Origin = DebianSuite
	case packageVersion.MatchString(name):
		ref.Origin = DebianVersion
	default:
		return Reference{}, noKernel(s)
	}
	if found && Arch(arch) != AMD64 && Arch(arch) != ARM64 {
		return Reference{}, fmt.Errorf("%q: there is no architecture %q here: want %s or %s behind the colon", s, arch, AMD64, ARM64)
	}
	// One kernel has one name.
	if ref.Arch = Arch(arch); ref.Arch == Native() {
		ref.Arch = ""
	}
	return ref, nil
}

func parseFiles(s string, origin Origin, name string) (Reference, error) {
	ref := Reference{Origin: origin, Name: name}
	var found bool
	if origin == File {
		ref.Name, ref.Modules, found = strings.Cut(name, modulesOption)
	}
	paths := ref.Files()
	if found {
		paths = append(paths, ref.Modules)
	}
	for _, path := range paths {
		if !pathName.MatchString(path) {
			return Reference{}, fmt.Errorf("%q: %q is no path: want %s", s, path, forms)
		}
	}
	return ref, nil
}

// Files are the paths in the name of what is made of files.
func (r Reference) Files() []string {
	if r.Origin == Packages {
		return strings.Split(r.Name, ",")
	}
	return []string{r.Name}
}

// String is the KERNEL argument that Parse reads as r.
func (r Reference) String() string {
	switch r.Origin {
	case Host:
		return "host"
	case DebianSuite, DebianVersion:
		if r.Arch == "" || r.Arch == Native() {
			return "debian/" + r.Name
		}
		return "debian/" + r.Name + ":" + string(r.Arch)
	case File:
		if r.Modules != "" {
			return prefixes[File] + r.Name + modulesOption + r.Modules
		}
	}
	if prefix, ok := prefixes[r.Origin]; ok {
		return prefix + r.Name
	}
	return ""
}
