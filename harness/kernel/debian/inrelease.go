package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// maxInRelease bounds an InRelease file, in bytes. Those of Debian have up to
// 200 kB.
const maxInRelease = 8 << 20

// A reader reads the archive's indices during one call.
type reader struct {
	*Archive
	keys            keyring
	first, fallback []mirror
}

func (a *Archive) reader() (*reader, error) {
	keys, err := a.keyring()
	if err != nil {
		return nil, err
	}
	first, fallback, err := a.mirrors()
	if err != nil {
		return nil, err
	}
	return &reader{Archive: a, keys: keys, first: first, fallback: fallback}, nil
}

// A verified index of a suite, and where it comes from.
type verified struct {
	*release
	// mirrors are where the files that it vouches for are looked for, the one
	// that gave it first.
	mirrors []mirror
	// note is what the user should know of it: that it is old.
	note string
}

// mainRelease looks for a suite on the mirrors that were set or that apt uses,
// then also on those that the distribution knows of.
func (r *reader) mainRelease(ctx context.Context, suite string) (verified, error) {
	if len(r.fallback) == 0 {
		return r.release(ctx, suite, r.first)
	}
	found, err := r.fetchRelease(ctx, suite, r.first)
	if err == nil || ctx.Err() != nil {
		return found, err
	}
	all := r.first[:len(r.first):len(r.first)]
	for _, m := range r.fallback {
		all = appendMirror(all, m)
	}
	return r.release(ctx, suite, all)
}

// release returns a suite's index: the mirrors' or, where they are out of reach,
// the one that they gave last.
func (r *reader) release(ctx context.Context, suite string, mirrors []mirror) (verified, error) {
	found, err := r.fetchRelease(ctx, suite, mirrors)
	if err == nil || ctx.Err() != nil || !outOfReach(err) {
		return found, err
	}
	rel, age, cacheErr := r.recall(suite)
	if errors.Is(cacheErr, errNone) {
		return verified{}, cacheErr
	}
	if cacheErr != nil {
		return verified{}, err
	}
	return verified{
		release: rel,
		mirrors: mirrors,
		note:    fmt.Sprintf("no mirror can be reached, using the index fetched %s ago", roughly(age)),
	}, nil
}

// outOfReach tells whether it is for the network that no mirror gave an index:
// not all of them answered, and none gave one that cannot be trusted.
func outOfReach(err error) bool {
	var failed *MirrorsError
	if !errors.As(err, &failed) || failed.all(isRefusal) {
		return false
	}
	return failed.all(func(err error) bool {
		var rejected *rejectedError
		return !errors.As(err, &rejected)
	})
}

// A rejectedError is why what a mirror gave as an index cannot be trusted.
type rejectedError struct{ err error }

func (e *rejectedError) Error() string { return e.err.Error() }
func (e *rejectedError) Unwrap() error { return e.err }

// fetchRelease gets a suite's index from the first mirror that has it and whose
// index can be trusted, and keeps it in the cache.
func (r *reader) fetchRelease(ctx context.Context, suite string, mirrors []mirror) (verified, error) {
	file := path.Join("dists", suite, "InRelease")
	var found verified
	err := tryMirrors(ctx, mirrors, file, func(m mirror) error {
		text, err := r.fetchInRelease(ctx, m, file)
		if err != nil {
			return err
		}
		found, err = r.accept(text, suite, m)
		if err != nil {
			return &rejectedError{err}
		}
		return r.remember(suite, text)
	})
	if err != nil {
		return verified{}, err
	}
	for _, m := range mirrors {
		found.mirrors = appendMirror(found.mirrors, m)
	}
	return found, nil
}

func (r *reader) fetchInRelease(ctx context.Context, m mirror, file string) ([]byte, error) {
	content, err := r.get(ctx, m, file)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content, maxInRelease+1))
	if err != nil {
		return nil, fmt.Errorf("the download broke off after %d bytes: %w", len(text), err)
	}
	if len(text) > maxInRelease {
		return nil, &rejectedError{fmt.Errorf("the index has more than %d bytes", maxInRelease)}
	}
	return text, nil
}

// accept checks an index that a mirror has given.
func (r *reader) accept(text []byte, suite string, m mirror) (verified, error) {
	rel, err := verifyRelease(text, suite, r.keys)
	if err != nil {
		return verified{}, err
	}
	found := verified{release: rel, mirrors: []mirror{m}}
	if rel.ValidUntil.IsZero() || time.Now().Before(rel.ValidUntil) {
		return found, nil
	}
	until := rel.ValidUntil.Format(time.DateOnly)
	if !m.expired {
		return verified{}, fmt.Errorf("the index was valid until %s only: the mirror is not updated any more", until)
	}
	found.note = fmt.Sprintf("the index was valid until %s only, its kernel may not be the newest", until)
	return found, nil
}

// remember keeps an index that has been verified, or nothing for a companion that
// no mirror has, for when the mirrors are out of reach.
func (r *reader) remember(suite string, inRelease []byte) error {
	path, err := r.cache("releases", suite)
	if err != nil {
		return err
	}
	return replaceFile(path, inRelease)
}

// errNone says that there was no such suite when the mirrors were last in reach.
var errNone = errors.New("no mirror had it")

// recall returns the index that remember has kept last and the time since then.
// It is verified again, but may be past its ValidUntil, as its age is reported.
func (r *reader) recall(suite string) (*release, time.Duration, error) {
	path, err := r.cache("releases", suite)
	if err != nil {
		return nil, 0, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	if len(text) == 0 {
		return nil, 0, errNone
	}
	kept, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	rel, err := verifyRelease(text, suite, r.keys)
	return rel, time.Since(kept.ModTime()), err
}

// roughly writes an age as a human would say it.
func roughly(age time.Duration) string {
	switch {
	case age < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes", age.Minutes())
	case age < 48*time.Hour:
		return fmt.Sprintf("%.0f hours", age.Hours())
	}
	return fmt.Sprintf("%.0f days", age.Hours()/24)
}
