package debian

import (
	"errors"
	"fmt"
	"strings"
)

// A staleError says that an index names a file which no mirror has as the index
// says: the mirror that gave the index has an old one, or is just being updated.
type staleError struct {
	index  mirror
	failed *mirrorsError
}

func (e *staleError) Error() string {
	return fmt.Sprintf("the index of %s does not fit what the mirrors hold, as when one is being updated: try again later, or: %v",
		e.index, e.failed)
}

func (e *staleError) Unwrap() []error { return []error{e.failed, ErrGone} }

// ErrGone is in an error of [Archive.Resolve] where mirrors are in reach, and none has what
// an index names: it may have had it once.
var ErrGone = errors.New("no mirror has it any more")

// An otherFileError says that what a mirror has is not the file that the index
// vouches for.
type otherFileError struct{ what string }

func (e *otherFileError) Error() string { return e.what }

// isOther tells whether a mirror is in reach, and has not the file that the index
// vouches for.
func isOther(err error) bool {
	var other *otherFileError
	return errors.As(err, &other) || isRefusal(err)
}

// past returns a reader that does without the mirror whose index was stale, or nil
// where the error is another one, or no mirror is left.
func (r *reader) past(err error) *reader {
	var stale *staleError
	if !errors.As(err, &stale) {
		return nil
	}
	next := *r
	next.first, next.fallback = without(r.first, stale.index), without(r.fallback, stale.index)
	if len(next.first) == 0 {
		next.first, next.fallback = next.fallback, nil
	}
	left := len(next.first) + len(next.fallback)
	if left == 0 || left == len(r.first)+len(r.fallback) {
		return nil
	}
	r.notice(fmt.Sprintf("the index of %s names %s, which no mirror has as it says: the next mirror's is used",
		stale.index, stale.failed.file))
	return &next
}

// without leaves a mirror out, and that beside which the security team's archive is.
func without(mirrors []mirror, gone mirror) (left []mirror) {
	for _, m := range mirrors {
		if m.uri != gone.uri && m.uri != strings.TrimSuffix(gone.uri, securitySuffix) {
			left = append(left, m)
		}
	}
	return left
}
