package bisect

// A halving finds, in a row of which the first and the last differ, two that differ and
// have none between them that can be told. It halves what is left each time.
type halving struct {
	// before is the last that is known to be like the first of the row, and after the
	// first that is known to be like the last.
	before, after int
	skipped       map[int]bool
}

func newHalving(length int) *halving {
	return &halving{after: length - 1, skipped: map[int]bool{}}
}

// next is the one to try: of those that are left, the one nearest to the middle, the
// earlier one of two. There is none when the search is over.
func (h *halving) next() (i int, more bool) {
	middle := (h.before + h.after) / 2
	for distance := range h.after - h.before {
		for _, i := range []int{middle - distance, middle + distance} {
			if h.before < i && i < h.after && !h.skipped[i] {
				return i, true
			}
		}
	}
	return 0, false
}

// isLikeFirst, isLikeLast and skip tell what became of the one that was tried.
func (h *halving) isLikeFirst(i int) { h.before = i }

func (h *halving) isLikeLast(i int) { h.after = i }

func (h *halving) skip(i int) { h.skipped[i] = true }

// between are those between before and after that could not be told.
func (h *halving) between() (untold []int) {
	for i := h.before + 1; i < h.after; i++ {
		if h.skipped[i] {
			untold = append(untold, i)
		}
	}
	return untold
}

// left is how many may still be tried.
func (h *halving) left() int { return h.after - h.before - 1 - len(h.between()) }
