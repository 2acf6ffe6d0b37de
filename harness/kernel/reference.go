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
)

// A Reference is a parsed KERNEL argument. Its zero value names no kernel.
type Reference struct {
	Origin Origin
	// Name is the suite of a DebianSuite ("bookworm-backports") or the version
	// of a DebianVersion, with the Debian revision ("6.1.170-1") or without
	// ("6.1.170"). It is empty for the Host.
	Name string
}

// forms lists for a human what Parse understands.
const forms = "debian/SUITE (such as debian/trixie), " +
	"debian/VERSION (such as debian/6.1.170-1 or debian/6.1.170) or host"

var (
	// suiteName keeps to what a folder below dists/ is called, so that a suite
	// can stand in a URL and in a path as it is.
	suiteName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	// packageVersion is deb-version(7) without an epoch, which kernel packages
	// do not have.
	packageVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]*(-[0-9A-Za-z.+~]+)*$`)
)

// Parse reads a KERNEL argument. Its error quotes s and lists the forms that
// are understood.
func Parse(s string) (Reference, error) {
	if s == "host" {
		return Reference{Origin: Host}, nil
	}
	name, ok := strings.CutPrefix(s, "debian/")
	switch {
	case ok && suiteName.MatchString(name):
		return Reference{Origin: DebianSuite, Name: name}, nil
	case ok && packageVersion.MatchString(name):
		return Reference{Origin: DebianVersion, Name: name}, nil
	}
	return Reference{}, fmt.Errorf("%q names no kernel: want %s", s, forms)
}

// String is the KERNEL argument that Parse reads as r.
func (r Reference) String() string {
	switch r.Origin {
	case Host:
		return "host"
	case DebianSuite, DebianVersion:
		return "debian/" + r.Name
	}
	return ""
}
