package debian

import "strings"

// compareVersions orders two package versions as deb-version(7) does: negative
// if a is older than b, zero if they mean the same, positive if a is newer.
func compareVersions(a, b string) int {
	aEpoch, aUpstream, aRevision := splitVersion(a)
	bEpoch, bUpstream, bRevision := splitVersion(b)
	if c := compareNumbers(aEpoch, bEpoch); c != 0 {
		return c
	}
	if c := compareParts(aUpstream, bUpstream); c != 0 {
		return c
	}
	return compareParts(aRevision, bRevision)
}

// splitVersion takes "[EPOCH:]UPSTREAM[-REVISION]" apart. An absent epoch is
// zero, and an absent revision is equal to a revision of zero.
func splitVersion(v string) (epoch, upstream, revision string) {
	if before, after, ok := strings.Cut(v, ":"); ok {
		epoch, v = before, after
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// compareParts orders two upstream versions or two revisions: by turns their
// longest starts without a digit, in the order of rank, and the numbers behind
// those.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		for (a != "" && !isDigit(a[0])) || (b != "" && !isDigit(b[0])) {
			if c := rank(a) - rank(b); c != 0 {
				return c
			}
			a, b = a[1:], b[1:]
		}
		aNumber, bNumber := digits(a), digits(b)
		if c := compareNumbers(aNumber, bNumber); c != 0 {
			return c
		}
		a, b = a[len(aNumber):], b[len(bNumber):]
	}
	return 0
}

// rank orders the first characters of two parts: a tilde sorts before
// everything, even the end of a part, and letters sort before all the rest.
func rank(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case 'a' <= s[0] && s[0] <= 'z', 'A' <= s[0] && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

// compareNumbers orders two rows of digits of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// digits is the longest start of s that is a number.
func digits(s string) string {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return s[:end]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
