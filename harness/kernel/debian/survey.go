package debian

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/finwait/finwait/harness/kernel"
)

// knownSuites are the suites of Debian that have a kernel of their own, oldest
// first. Others resolve as well, if a mirror has them: stable, or a release that
// was made after this list.
var knownSuites = []string{
	"bullseye",
	"bookworm", "bookworm-backports",
	"trixie", "trixie-backports",
	"forky", "sid", "experimental",
}

// KnownSuites are the names that [Archive.Suites] asks a mirror for.
func KnownSuites() []string { return slices.Clone(knownSuites) }

// A Suite is what a suite has to offer.
type Suite struct {
	// Name is the suite's, such as "bookworm-backports".
	Name string
	// Release is what uname -r prints in its newest cloud kernel.
	Release string
	// Version is that kernel's package version.
	Version string
	// Cached says that it is on this machine's disk already.
	Cached bool
	// Note is what the user should know of it, such as that the mirror's index
	// is old; empty if nothing.
	Note string
	// Err is why nothing else is known of the suite; nil if it is.
	Err error
}

// Suites returns, for each known suite, its newest cloud kernel for this machine's
// architecture, without downloading any. What is wrong with one suite is said there.
func (a *Archive) Suites(ctx context.Context) ([]Suite, error) {
	r, err := a.reader(kernel.Native())
	if err != nil {
		return nil, err
	}
	var offers []Suite
	for _, s := range r.survey(ctx) {
		offers = append(offers, r.offer(s))
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("list the suites of Debian: %w", ctx.Err())
	}
	return offers, nil
}

// Between returns the package versions of the cloud kernels for an architecture that are
// not older than one of two and not newer than the other, oldest first, and what the
// user should know of the search, a line each. They are what the known suites have.
// Kernels that have lost one of their packages are left out, and named.
func (a *Archive) Between(ctx context.Context, arch kernel.Arch, one, other string) (versions, notes []string, err error) {
	r, err := a.reader(arch)
	if err != nil {
		return nil, nil, err
	}
	found := r.survey(ctx)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("list the kernels of Debian: %w", ctx.Err())
	}
	var packages index
	for _, s := range found {
		packages = append(packages, s.packages...)
		notes = append(notes, s.doubts()...)
	}
	all := packages.cloudVersions()
	for _, version := range []string{one, other} {
		if !slices.Contains(all, version) {
			return nil, nil, unknownVersion(version, all, notes)
		}
	}
	from, to := slices.Index(all, one), slices.Index(all, other)
	var torn []string
	for _, version := range all[min(from, to) : max(from, to)+1] {
		if _, err := packages.parts(packages.cloudVersion(version)); err != nil {
			torn = append(torn, version)
			continue
		}
		versions = append(versions, version)
	}
	if len(torn) > 0 {
		notes = append(notes, "left out, because no suite has all of their packages: "+strings.Join(torn, " "))
	}
	return versions, notes, nil
}

// A surveyed suite has been read, or err says why not.
type surveyed struct {
	suite
	err error
}

// doubts are why there may be more in the suite than what has been read.
func (s surveyed) doubts() []string {
	if s.err != nil {
		return []string{fmt.Sprintf("debian/%s could not be searched: %s", s.name, line(s.err))}
	}
	return s.notes
}

// survey reads the indices of all known suites.
func (r *reader) survey(ctx context.Context) []surveyed {
	found := make([]surveyed, len(knownSuites))
	var group errgroup.Group
	group.SetLimit(4)
	for i, name := range knownSuites {
		group.Go(func() error {
			found[i].suite, found[i].err = r.suite(ctx, name)
			found[i].name = name
			return nil
		})
	}
	_ = group.Wait() // each suite keeps its own error
	return found
}

func (r *reader) offer(s surveyed) Suite {
	fail := func(err error) Suite { return Suite{Name: s.name, Err: err} }
	if s.err != nil {
		return fail(s.err)
	}
	parts, err := s.newest()
	if err != nil {
		return fail(err)
	}
	return Suite{
		Name:    s.name,
		Release: strings.TrimPrefix(parts[0].name, "linux-image-"),
		Version: parts[0].version,
		Cached:  exists(r.kernelFolder(parts)),
		Note:    strings.Join(s.notes, "; "),
	}
}

// version returns the packages that hold the cloud kernel with a package version
// or, if version has no Debian revision, with the highest one, and what the user
// should know of the search. It looks in all known suites.
func (r *reader) version(ctx context.Context, version string) (parts []pkg, notes []string, err error) {
	found := r.survey(ctx)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("look for version %s: %w", version, ctx.Err())
	}
	var packages index
	for _, s := range found {
		packages = append(packages, s.packages...)
	}
	p := packages.cloudVersion(version)
	exact := p != nil && p.version == version
	for _, s := range found {
		// Where the very version is found, it does not matter what others have.
		if !exact || s.packages.cloudVersion(version) != nil {
			notes = append(notes, s.doubts()...)
		}
	}
	if p == nil {
		return nil, nil, unknownVersion(version, packages.cloudVersions(), notes)
	}
	if parts, err = packages.parts(p); err != nil {
		return nil, nil, fmt.Errorf("debian/%s: %w", version, err)
	}
	return parts, notes, nil
}

// unknownVersion says that no suite has a cloud kernel of a version, and why there
// may be one all the same.
func unknownVersion(version string, versions, doubts []string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "no suite of Debian has a cloud kernel of version %s", version)
	if near := nearest(versions, version); len(near) > 0 {
		fmt.Fprintf(&text, "; versions near it: %s", strings.Join(near, " "))
	}
	for _, doubt := range doubts {
		fmt.Fprintf(&text, "\n\t%s", doubt)
	}
	return errors.New(text.String())
}
