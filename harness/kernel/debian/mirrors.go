package debian

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A mirror is a place that may hold an archive of Debian: a folder with dists/
// and pool/ in it.
type mirror struct {
	// uri is the folder, without a slash at the end. It passes checkURI.
	uri string
	// expired says that an index past its Valid-Until is accepted.
	expired bool
}

// String is the mirror's URI without a password.
func (m mirror) String() string {
	uri, _ := url.Parse(m.uri) // checkURI has seen it
	return uri.Redacted()
}

// mirrors returns the archives to try, in order: those that are set, else those
// in the machine's apt sources. The fallback is what else to try where none of
// them is an archive of Debian, as on Ubuntu.
func (a *Archive) mirrors() (first, fallback []mirror, err error) {
	for _, uri := range a.Mirrors {
		if err := checkURI(uri); err != nil {
			return nil, nil, err
		}
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
	if expired {
		allowExpired(first)
		allowExpired(fallback)
	}
	return first, fallback, nil
}

var errNoMirrors = errors.New("no mirror of Debian's archive is known: this machine's apt sources name none; " +
	"name one with --mirror or FINWAIT_MIRRORS")

// checkURI wants a URI that HTTP can reach.
func checkURI(uri string) error {
	parsed, err := url.Parse(uri)
	if err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" {
		return nil
	}
	// What stands before an @ may be a password.
	return fmt.Errorf("mirror %q: want http://HOST/FOLDER or https://HOST/FOLDER, the folder that holds dists/ and pool/: "+
		"correct --mirror or FINWAIT_MIRRORS", uri[strings.LastIndexByte(uri, '@')+1:])
}

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

// appendHTTP appends a mirror that HTTP can reach, unless it is there already.
func appendHTTP(mirrors []mirror, next mirror) []mirror {
	if checkURI(next.uri) != nil {
		return mirrors
	}
	return appendMirror(mirrors, next)
}

func appendMirror(mirrors []mirror, next mirror) []mirror {
	next.uri = strings.TrimRight(next.uri, "/")
	for _, known := range mirrors {
		if known.uri == next.uri {
			return mirrors
		}
	}
	return append(mirrors, next)
}

// tryMirrors calls get with one mirror after the other until it succeeds. It
// ends early where another mirror would not help: when ctx ends, or when the
// fault is this machine's.
func tryMirrors(ctx context.Context, mirrors []mirror, file string, get func(mirror) error) error {
	failed := &mirrorsError{file: file}
	for _, m := range mirrors {
		err := get(m)
		var local *folderError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("get %s: %w", file, ctx.Err())
		case errors.As(err, &local):
			return fmt.Errorf("get %s: %w", file, err)
		}
		failed.reasons = append(failed.reasons, fmt.Errorf("%s: %w", m, err))
	}
	return failed
}

// A mirrorsError says why no mirror could give a file.
type mirrorsError struct {
	// file is the path of the file below the mirror's folder.
	file string
	// reasons holds, in the order in which they were tried, what was wrong with
	// each mirror.
	reasons []error
}

func (e *mirrorsError) Error() string {
	remedy := "name others with --mirror or FINWAIT_MIRRORS"
	if isUnknownKey(e) {
		remedy = "update the package debian-archive-keyring"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "no mirror gives %s; %s:", e.file, remedy)
	for _, reason := range e.reasons {
		fmt.Fprintf(&text, "\n\t%v", reason)
	}
	return text.String()
}

func (e *mirrorsError) Unwrap() []error { return e.reasons }

// all tells whether what was wrong is of one kind with all mirrors.
func (e *mirrorsError) all(kind func(error) bool) bool {
	for _, reason := range e.reasons {
		if !kind(reason) {
			return false
		}
	}
	return true
}

// line writes an error that may list the mirrors in one line.
func line(err error) string {
	return strings.NewReplacer(":\n\t", ": ", "\n\t", "; ").Replace(err.Error())
}
