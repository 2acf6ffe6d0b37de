package catalogue

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// A Package is one whose files are in the tree.
type Package struct {
	// Name, Version and Architecture are those of its control file, the last
	// Debian's: amd64, arm64 or all.
	Name, Version, Architecture string
}

// Versions reads the packages.tsv that make servers writes beside the tree.
func Versions(path string) ([]Package, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the servers' versions: %w; make servers fetches them", err)
	}
	defer file.Close()
	packages, err := parseVersions(file)
	if err != nil {
		return nil, fmt.Errorf("the servers' versions: %s: %w; make -B servers writes it again", path, err)
	}
	return packages, nil
}

func parseVersions(text io.Reader) ([]Package, error) {
	var packages []Package
	lines := bufio.NewScanner(text)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 || fields[0] == "" || fields[1] == "" || fields[2] == "" {
			return nil, fmt.Errorf("line %d: %q is not a package, a version and an architecture with tabs between", n, lines.Text())
		}
		packages = append(packages, Package{Name: fields[0], Version: fields[1], Architecture: fields[2]})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("no package is in it")
	}
	return packages, nil
}

// From returns which of the packages is the server's.
func (s Server) From(packages []Package) (Package, error) {
	for _, p := range packages {
		if match, err := path.Match(s.Package, p.Name); err != nil {
			return Package{}, fmt.Errorf("%s comes from %s: %w", s.Name, s.Package, err)
		} else if match {
			return p, nil
		}
	}
	return Package{}, fmt.Errorf("%s comes from %s, and of %d packages none is that", s.Name, s.Package, len(packages))
}
