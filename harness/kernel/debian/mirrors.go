package debian

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// mirrors returns the archives to try, in order: those that are set, else those
// in the machine's apt sources. The fallback is what else to try where none of
// them is an archive of Debian, as on Ubuntu.
func (a *Archive) mirrors() (first, fallback []mirror, err error) {
	for _, uri := range a.Mirrors {
		first = appendMirror(first, mirror{uri: uri})
	}
	if len(first) == 0 {
		if first, err = aptMirrors(a.machine()); err != nil {
			return nil, nil, fmt.Errorf("read the machine's apt sources: %w", err)
		}
		if fallback, err = templateMirrors(a.machine()); err != nil {
			return nil, nil, fmt.Errorf("read what the distribution knows of Debian's archive: %w", err)
		}
	}
	if len(first) == 0 {
		first, fallback = fallback, nil
	}
	if len(first) == 0 {
		return nil, nil, errNoMirrors
	}
	expired, err := aptAcceptsExpired(a.machine())
	if err != nil {
		return nil, nil, fmt.Errorf("read apt's configuration: %w", err)
	}
	if expired || a.AllowExpired {
		allowExpired(first)
		allowExpired(fallback)
	}
	return first, fallback, nil
}

var errNoMirrors = errors.New("no mirror of Debian's archive is known: this machine's apt sources name none; " +
	"name one with --mirror or FINWAIT_MIRRORS")

func allowExpired(mirrors []mirror) {
	for i := range mirrors {
		mirrors[i].expired = true
	}
}

// securityMirrors adds to the mirrors what most of them serve beside
// .../debian: the archive of the security team, .../debian-security. Someone who
// sets a single mirror would miss the security updates otherwise.
func securityMirrors(mirrors []mirror) []mirror {
	all := mirrors[:len(mirrors):len(mirrors)]
	for _, m := range mirrors {
		if strings.HasSuffix(m.uri, "/debian") {
			m.uri += "-security"
			all = appendMirror(all, m)
		}
	}
	return all
}

// A MirrorsError says why no mirror could give a file.
type MirrorsError struct {
	// File is the path of the file below the mirror's folder.
	File string
	// Reasons holds, in the order in which they were tried, what was wrong with
	// each mirror.
	Reasons []MirrorError
}

// A MirrorError is what was wrong with one mirror.
type MirrorError struct {
	Mirror string
	Err    error
}

func (e *MirrorsError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no mirror gives %s; name others with --mirror or FINWAIT_MIRRORS:", e.File)
	for _, reason := range e.Reasons {
		fmt.Fprintf(&text, "\n\t%v", reason)
	}
	return text.String()
}

// Unwrap returns what was wrong with each mirror.
func (e *MirrorsError) Unwrap() []error {
	reasons := make([]error, len(e.Reasons))
	for i, reason := range e.Reasons {
		reasons[i] = reason
	}
	return reasons
}

func (e MirrorError) Error() string { return fmt.Sprintf("%s: %v", e.Mirror, e.Err) }
func (e MirrorError) Unwrap() error { return e.Err }

// tryMirrors calls get with one mirror after the other until it succeeds. It
// ends early where another mirror would not help: when ctx ends, or when the
// fault is this machine's.
func tryMirrors(ctx context.Context, mirrors []mirror, file string, get func(mirror) error) error {
	failed := &MirrorsError{File: file}
	for _, m := range mirrors {
		err := get(m)
		var local *FolderError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("get %s: %w", file, ctx.Err())
		case errors.As(err, &local):
			return fmt.Errorf("get %s: %w", file, err)
		}
		failed.Reasons = append(failed.Reasons, MirrorError{Mirror: m.String(), Err: err})
	}
	return failed
}

// String is the mirror's URI without a password.
func (m mirror) String() string {
	uri, err := url.Parse(m.uri)
	if err != nil {
		return m.uri
	}
	return uri.Redacted()
}

// all tells whether what was wrong is of one kind with all mirrors.
func (e *MirrorsError) all(kind func(error) bool) bool {
	for _, reason := range e.Reasons {
		if !kind(reason.Err) {
			return false
		}
	}
	return true
}
