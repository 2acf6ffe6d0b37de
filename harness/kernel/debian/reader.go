package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/finwait/finwait/harness/kernel"
)

// maxInRelease bounds an InRelease file, in bytes. Those of Debian have up to
// 200 kB.
const maxInRelease = 8 << 20

// A reader reads the archive during one call. What it needs of the machine is
// found before any mirror is asked.
type reader struct {
	*Archive
	first, fallback []mirror
	arch            kernel.Arch
	folder          string // of the cache
	keys            keyring
}

func (a *Archive) reader(arch kernel.Arch) (*reader, error) {
	first, fallback, err := a.mirrors()
	if err != nil {
		return nil, err
	}
	folder, err := a.cacheFolder()
	if err != nil {
		return nil, err
	}
	keys, err := a.keyring()
	if err != nil {
		return nil, err
	}
	return &reader{Archive: a, first: first, fallback: fallback, arch: arch, folder: folder, keys: keys}, nil
}

// entry returns the path of an entry of the cache.
func (r *reader) entry(kind, name string) string {
	return filepath.Join(r.folder, "debian", kind, name)
}

// A verified index of a suite, and where it comes from.
type verified struct {
	*release
	// mirrors are where the files that it vouches for are looked for, the one
	// that gave it first.
	mirrors []mirror
	// notes are what the user should know of it: that it is old.
	notes []string
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
	cached := verified{release: rel, mirrors: mirrors}
	cached.note("no mirror of debian/%s can be reached, its index fetched %s ago is used", suite, roughly(age))
	if rel.expired() {
		cached.noteExpiry(suite)
	}
	return cached, nil
}

// outOfReach tells whether it is for the network that no mirror gave an index:
// not all of them answered, and none gave one that cannot be trusted.
func outOfReach(err error) bool {
	var failed *mirrorsError
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
	// An index in the cache that cannot be trusted any more tells nothing.
	if last, _, err := r.recall(suite); err == nil && rel.Date.Before(last.Date) {
		return verified{}, fmt.Errorf("the index is of %s, older than the one of %s that was had before: "+
			"remove %s to use it all the same", moment(rel.Date), moment(last.Date), r.entry("releases", suite))
	}
	found := verified{release: rel, mirrors: []mirror{m}}
	if rel.expired() {
		if !m.expired {
			return verified{}, fmt.Errorf("the index was valid until %s only: the mirror is not updated any more", moment(rel.ValidUntil))
		}
		found.noteExpiry(suite)
	}
	return found, nil
}

func (v *verified) noteExpiry(suite string) {
	v.note("the index of debian/%s was valid until %s only, there may be newer kernels", suite, moment(v.ValidUntil))
}

func (v *verified) note(format string, args ...any) {
	v.notes = append(v.notes, fmt.Sprintf(format, args...))
}

func moment(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// remember keeps an index that has been verified, or nothing for a companion that
// no mirror has, for when the mirrors are out of reach or give an older one.
func (r *reader) remember(suite string, inRelease []byte) error {
	return replaceFile(r.entry("releases", suite), inRelease)
}

// errNone says that there was no such suite when the mirrors were last in reach.
var errNone = errors.New("no mirror had it")

// recall returns the index that remember has kept last and the time since then.
// It is verified again, but may be past its ValidUntil.
func (r *reader) recall(suite string) (*release, time.Duration, error) {
	file := r.entry("releases", suite)
	kept, err := os.Stat(file)
	if err != nil {
		return nil, 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, 0, err
	}
	if len(text) == 0 {
		return nil, 0, errNone
	}
	rel, err := verifyRelease(text, suite, r.keys)
	return rel, time.Since(kept.ModTime()), err
}

// remembers tells whether remember has kept an index of a suite.
func (r *reader) remembers(suite string) bool {
	kept, err := os.Stat(r.entry("releases", suite))
	return err == nil && kept.Size() > 0
}

// roughly writes an age as a human would say it.
func roughly(age time.Duration) string {
	switch {
	case age < 2*time.Minute:
		return "less than two minutes"
	case age < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes", age.Minutes())
	case age < 48*time.Hour:
		return fmt.Sprintf("%.0f hours", age.Hours())
	}
	return fmt.Sprintf("%.0f days", age.Hours()/24)
}
