package bisect

import (
	"math/bits"
	"testing"

	. "github.com/onsi/gomega"
)

// halve halves a row, each of which is like the first, 'a', like the last, 'b', or
// cannot be told, '?'. It returns the steps that it took.
func halve(h *halving, row string) (steps int) {
	for {
		i, more := h.next()
		if !more {
			return steps
		}
		steps++
		switch row[i] {
		case 'a':
			h.isLikeFirst(i)
		case 'b':
			h.isLikeLast(i)
		default:
			h.skip(i)
		}
	}
}

func TestHalvingFindsTheChange(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	for length := 2; length < 70; length++ {
		for change := 1; change < length; change++ {
			row := make([]byte, length)
			for i := range row {
				row[i] = 'a'
				if i >= change {
					row[i] = 'b'
				}
			}
			h := newHalving(length)
			steps := halve(h, string(row))
			g.Expect([]int{h.before, h.after}).To(Equal([]int{change - 1, change}), "in %s", row)
			g.Expect(steps).To(BeNumerically("<=", bits.Len(uint(length-2))), "in %s", row)
			g.Expect(h.left()).To(BeZero())
		}
	}
}

// Wherever one cannot be told, what is found is right, and names it if it is between.
func TestHalvingGoesRoundWhatCannotBeTold(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const whole = "aaaaaabbbbbbb"
	const change = 6
	for skip := 1; skip < len(whole)-1; skip++ {
		row := []byte(whole)
		row[skip] = '?'
		h := newHalving(len(row))
		halve(h, string(row))
		before, after, between := change-1, change, []int(nil)
		switch skip {
		case change - 1:
			before, between = change-2, []int{skip}
		case change:
			after, between = change+1, []int{skip}
		}
		g.Expect([]int{h.before, h.after}).To(Equal([]int{before, after}), "in %s", row)
		g.Expect(h.between()).To(Equal(between), "in %s", row)
	}
}

func TestHalvingTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]struct {
		before, after int
		between       []int
	}{
		"ab":        {0, 1, nil},
		"a?b":       {0, 2, []int{1}},
		"a??????b":  {0, 7, []int{1, 2, 3, 4, 5, 6}},
		"aa???bb":   {1, 5, []int{2, 3, 4}},
		"a?a?b?b":   {2, 4, []int{3}},
		"?a?":       {1, 2, nil}, // the ends are not asked
		"aabbabb":   {1, 2, nil}, // what goes there and back has several changes: one is found
		"abababab":  {0, 1, nil},
		"aab?aabbb": {5, 6, nil},
	} {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			h := newHalving(len(row))
			halve(h, row)
			g.Expect([]int{h.before, h.after}).To(Equal([]int{want.before, want.after}))
			g.Expect(h.between()).To(Equal(want.between))
		})
	}
}
