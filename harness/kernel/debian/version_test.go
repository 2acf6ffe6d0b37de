package debian

import (
	"slices"
	"testing"
)

// The orders are those that deb-version(7) spells out, and those that kernel
// packages need.
func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, ascending := range [][]string{
		{"~~", "~~a", "~", "", "a"},
		{"1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-2", "1.0.1-1", "1:0.1-1"},
		{"5.10.70-1", "5.10.84-1", "5.10.218-1", "6.1.4-1"},
		{"6.1.172-1~deb11u1", "6.1.172-1", "6.1.172-1.1", "6.1.172-2"},
		{"7.3~rc7-1~exp1", "7.3.4-1~bpo13+1", "7.3.4-1"},
		{"1", "1a", "1+", "1.", "1.1"},
		{"1.9", "1.10", "1.99999999999999999999998", "1.99999999999999999999999"},
		{"1-1-1", "1-1-2", "1-2-1"},
	} {
		for i, a := range ascending {
			for j, b := range ascending {
				if got, want := sign(compareVersions(a, b)), sign(i-j); got != want {
					t.Errorf("compare %q with %q: got %d, want %d", a, b, got, want)
				}
			}
		}
	}
	for _, equal := range [][2]string{{"1", "1-0"}, {"0:1", "1"}, {"1.01", "1.1"}, {"1.0", "1."}} {
		if got := compareVersions(equal[0], equal[1]); got != 0 {
			t.Errorf("compare %q with %q: got %d, want 0", equal[0], equal[1], got)
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func FuzzCompareVersions(f *testing.F) {
	f.Add("6.1.172-1~deb11u1", "6.1.172-1", "7.3~rc7-1~exp1")
	f.Add("", "0", "~")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if compareVersions(a, b) != -compareVersions(b, a) {
			t.Errorf("%q and %q are each on the same side of the other", a, b)
		}
		sorted := []string{a, b, c}
		slices.SortFunc(sorted, compareVersions)
		if compareVersions(sorted[0], sorted[2]) > 0 {
			t.Errorf("the order of %q goes round in a circle", sorted)
		}
	})
}
