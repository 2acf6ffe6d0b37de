package debian

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
)

// A pkg is a binary package as a Packages index describes it.
type pkg struct {
	name, version string
	// file is the .deb's path below the mirror's folder.
	file string
	digest
	depends []dependency
	// mirrors are where the .deb is looked for, in order.
	mirrors []mirror
}

// A dependency on a kernel package. The version is empty where any will do.
type dependency struct{ name, version string }

// kernelPackage matches the names of the packages that kernels are made of. Up to
// Linux 6.18 linux-image-ABI holds the kernel and its modules. Since then it only
// depends on linux-binary-ABI (vmlinuz), linux-modules-ABI and linux-base-ABI (the
// lists of what is built in).
var kernelPackage = regexp.MustCompile(`^linux-(?:image-|(?:binary|modules|base)-[0-9])`)

// extractKernels copies the paragraphs about kernel packages, some hundreds of
// the 70000 in an index, and so makes all later reading of it quick.
func extractKernels(w io.Writer, packages io.Reader) error {
	lines := bufio.NewReaderSize(packages, maxLine)
	var block []byte
	keep := false
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if name, ok := bytes.CutPrefix(line, []byte("Package:")); ok {
			keep = kernelPackage.Match(bytes.TrimSpace(name))
		}
		block = append(block, line...)
		if len(bytes.TrimSpace(line)) > 0 && err == nil {
			if len(block) > maxParagraph {
				return fmt.Errorf("a paragraph of more than %d bytes", maxParagraph)
			}
			continue
		}
		if keep {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		block, keep = block[:0], false
	}
}

// maxParagraph bounds what an index says of one package, in bytes.
const maxParagraph = 8 << 20

// parsePackages reads an index of packages, of which it leaves out those that are
// not made for an architecture.
func parsePackages(r io.Reader, arch kernel.Arch) ([]pkg, error) {
	var packages []pkg
	for fields, err := range paragraphs(r) {
		if err != nil {
			return nil, err
		}
		if fields["architecture"] != string(arch) {
			continue
		}
		p := pkg{
			name:    fields["package"],
			version: fields["version"],
			file:    fields["filename"],
			depends: parseDepends(fields["depends"]),
		}
		if p.name == "" || p.version == "" || p.file == "" {
			return nil, fmt.Errorf("package %q, version %q, file %q: no name, no version or no file name", p.name, p.version, p.file)
		}
		if p.digest, err = parseDigest(fields["sha256"], fields["size"]); err != nil {
			return nil, fmt.Errorf("package %s %s: %w", p.name, p.version, err)
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// dependencyForm is "NAME" or "NAME (= VERSION)", deb-control(5).
var dependencyForm = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]*)(?::any)?\s*(?:\(\s*=\s*([^\s)]+)\s*\))?$`)

// parseDepends keeps the dependencies on kernel packages, which have neither
// alternatives nor versions other than exact ones.
func parseDepends(list string) []dependency {
	var found []dependency
	for entry := range strings.SplitSeq(list, ",") {
		part := dependencyForm.FindStringSubmatch(strings.TrimSpace(entry))
		if part != nil && kernelPackage.MatchString(part[1]) {
			found = append(found, dependency{name: part[1], version: part[2]})
		}
	}
	return found
}

// An index is the kernel packages of one or several suites.
type index []pkg

// newest is the package with the highest version of those with a name, nil if
// there is none.
func (ix index) newest(name string) *pkg {
	var found *pkg
	for i, p := range ix {
		if p.name == name && (found == nil || compareVersions(p.version, found.version) > 0) {
			found = &ix[i]
		}
	}
	return found
}

// find returns the package that d asks for, nil if there is none.
func (ix index) find(d dependency) *pkg {
	if d.version == "" {
		return ix.newest(d.name)
	}
	for i, p := range ix {
		if p.name == d.name && compareVersions(p.version, d.version) == 0 {
			return &ix[i]
		}
	}
	return nil
}

// parts returns the packages that hold the kernel which p installs: p itself and
// what it depends on. A package that depends on another linux-image- package is a
// metapackage, only a name for that one.
func (ix index) parts(p *pkg) ([]pkg, error) {
	var found []pkg
	seen := make(map[string]bool)
	var visit func(p *pkg) error
	visit = func(p *pkg) error {
		if seen[p.name] {
			return nil
		}
		seen[p.name] = true
		if !p.isMeta() {
			found = append(found, *p)
		}
		for _, d := range p.depends {
			next := ix.find(d)
			if next == nil {
				return fmt.Errorf("package %s %s depends on %s %s, which the index does not have",
					p.name, p.version, d.name, d.version)
			}
			if err := visit(next); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(p); err != nil {
		return nil, err
	}
	return found, nil
}

func (p *pkg) isMeta() bool {
	for _, d := range p.depends {
		if strings.HasPrefix(d.name, "linux-image-") {
			return true
		}
	}
	return false
}

// cloudKernel is what the packages of cloud kernels are called, the debug symbols
// and the unsigned twins left out.
var cloudKernel = regexp.MustCompile(`^linux-image-[0-9].*-cloud-(?:amd64|arm64)$`)

// cloudVersion returns the cloud kernel that a version means: the one that has
// it, or the highest of those that differ in the Debian revision only.
func (ix index) cloudVersion(version string) *pkg {
	var found *pkg
	for i, p := range ix {
		if !cloudKernel.MatchString(p.name) {
			continue
		}
		if p.version == version {
			return &ix[i]
		}
		_, upstream, _ := splitVersion(p.version)
		if upstream == version && (found == nil || compareVersions(p.version, found.version) > 0) {
			found = &ix[i]
		}
	}
	return found
}

// cloudVersions are the versions of all cloud kernels, oldest first.
func (ix index) cloudVersions() []string {
	var versions []string
	for _, p := range ix {
		if cloudKernel.MatchString(p.name) {
			versions = append(versions, p.version)
		}
	}
	slices.SortFunc(versions, compareVersions)
	return slices.Compact(versions)
}

// nearest returns the versions around one that is not among them: up to four
// older and four newer ones.
func nearest(versions []string, version string) []string {
	at, _ := slices.BinarySearchFunc(versions, version, compareVersions)
	return versions[max(0, at-4):min(len(versions), at+4)]
}
