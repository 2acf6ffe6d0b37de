package wire

import "github.com/finwait/finwait/harness/segment"

// An armed rule, and what has come of it.
type armed struct {
	Rule
	fired   bool
	held    *frame // what a hold or a swap keeps back
	reached bool   // whether what it waits for has been delivered
	delayed bool   // whether a delay still keeps its segment
	failed  error  // why an inject could not
}

// picks reports whether the rule is to act on a segment, and takes it that it
// does.
func (r *armed) picks(s segment.Seen) bool {
	switch {
	case r.fired && !r.every || r.act == inject || r.act == release || r.late && !r.reached:
		return false
	case r.act == swap:
		// Of two of which one has been delivered nothing is left to be swapped.
		if r.reached || !s.Is(r.what) && !s.Is(r.other) {
			return false
		}
		if !s.Is(r.what) {
			r.what, r.other = r.other, r.what
		}
	case !s.Is(r.what):
		return false
	}
	r.fired, r.delayed = true, r.act == delay
	return true
}

// awaits reports whether a segment that is delivered is what the rule waits
// for; a swap that has not begun, either of its two.
func (r *armed) awaits(s segment.Seen) bool {
	switch {
	case r.reached || r.told:
		return false
	case r.act == hold || r.act == inject || r.late:
		return s.Is(r.other)
	case r.act == swap:
		return s.Is(r.other) || !r.fired && s.Is(r.what)
	}
	return false
}

// make is what an inject delivers.
func (r *armed) make(c *connection) (f frame, made bool) {
	octets, err := c.frame(r.side, r.own)
	r.fired, r.failed = err == nil, err
	return frame{from: r.side, octets: octets, rule: r, kept: true}, err == nil
}

// keeps reports whether the rule keeps a segment back.
func (r *armed) keeps() bool { return r.held != nil || r.delayed }
