package catalogue

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
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
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the servers' versions: %w; make servers fetches them", err)
	}
	packages, err := parseVersions(string(text))
	if err != nil {
		return nil, fmt.Errorf("the servers' versions: %s: %w; make -B servers writes it again", path, err)
	}
	return packages, nil
}

func parseVersions(text string) ([]Package, error) {
	var packages []Package
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || slices.Contains(fields, "") {
			return nil, fmt.Errorf("line %d: %q is not a package, a version and an architecture with tabs between",
				len(packages)+1, line)
		}
		packages = append(packages, Package{Name: fields[0], Version: fields[1], Architecture: fields[2]})
	}
	if packages == nil {
		return nil, errors.New("no package is in it")
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
