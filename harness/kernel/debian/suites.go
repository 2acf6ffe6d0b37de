package debian

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
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

// Suites returns, for each known suite, its newest cloud kernel, without
// downloading any. What is wrong with one suite is said there.
func (a *Archive) Suites(ctx context.Context) ([]Suite, error) {
	r, err := a.reader()
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

// A surveyed suite has been read, or err says why not.
type surveyed struct {
	suite
	err error
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
	folder, err := r.kernelFolder(parts)
	if err != nil {
		return fail(err)
	}
	return Suite{
		Name:    s.name,
		Release: strings.TrimPrefix(parts[0].name, "linux-image-"),
		Version: parts[0].version,
		Cached:  exists(folder),
		Note:    s.note,
	}
}

// An UnknownSuiteError says that no mirror has a suite.
type UnknownSuiteError struct {
	Suite string
	// Reasons holds what each mirror answered.
	Reasons []MirrorError
}

func (e *UnknownSuiteError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no mirror has debian/%s; suites known to exist: %s; an old one may have moved to "+
		"the archive of old releases: name a mirror of that with --mirror or FINWAIT_MIRRORS. Asked were:",
		e.Suite, strings.Join(knownSuites, " "))
	for _, reason := range e.Reasons {
		fmt.Fprintf(&text, "\n\t%v", reason)
	}
	return text.String()
}
