package debian

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// cloudKernel is what the packages of cloud kernels are called, the debug symbols
// and the unsigned twins left out.
var cloudKernel = regexp.MustCompile(`^linux-image-[0-9].*-cloud-` + architecture + `$`)

// version returns the packages that hold the cloud kernel with a package version
// or, if version has no Debian revision, with the highest one. It looks in all
// known suites.
func (r *reader) version(ctx context.Context, version string) ([]pkg, error) {
	var packages index
	var doubts []string
	for _, s := range r.survey(ctx) {
		packages = append(packages, s.packages...)
		if s.err != nil {
			doubts = append(doubts, fmt.Sprintf("debian/%s could not be searched: %v", s.name, s.err))
		}
		if s.note != "" {
			doubts = append(doubts, fmt.Sprintf("debian/%s: %s", s.name, s.note))
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("look for version %s: %w", version, ctx.Err())
	}
	found := packages.cloudVersion(version)
	if found == nil {
		return nil, &UnknownVersionError{
			Version: version,
			Near:    nearest(packages.cloudVersions(), version),
			Doubts:  doubts,
		}
	}
	parts, err := packages.parts(found)
	if err != nil {
		return nil, fmt.Errorf("debian/%s: %w", version, err)
	}
	return parts, nil
}

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

// An UnknownVersionError says that no suite has a cloud kernel of a version.
type UnknownVersionError struct {
	Version string
	// Near are the versions that there are around it, oldest first.
	Near []string
	// Doubts are why there may be one all the same: suites that could not be
	// searched, and those whose index is old.
	Doubts []string
}

func (e *UnknownVersionError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no suite of Debian has a cloud kernel of version %s", e.Version)
	if len(e.Near) > 0 {
		fmt.Fprintf(&text, "; versions near it: %s", strings.Join(e.Near, " "))
	}
	for _, doubt := range e.Doubts {
		fmt.Fprintf(&text, "\n\t%s", doubt)
	}
	return text.String()
}
