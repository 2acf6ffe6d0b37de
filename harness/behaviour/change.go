package behaviour

import "slices"

// A Change is a change to Linux that kernels answer a question by.
type Change struct {
	// Commit begins the change's hash in the mainline. A backport has a hash of its
	// own, and names that one.
	Commit string
	// Subject is the first line of its message.
	Subject string
	// With are the answers of kernels that have the change, and Without those of
	// kernels that do not. Any other answer leaves it open.
	With, Without []string
}

// Presence is whether a kernel has a change.
type Presence string

// What an answer says of a change.
const (
	Present Presence = "yes"
	Absent  Presence = "no"
	Open    Presence = "open"
)

// In is whether a kernel has the change that gives this answer.
func (c Change) In(answer string) Presence {
	switch {
	case slices.Contains(c.With, answer):
		return Present
	case slices.Contains(c.Without, answer):
		return Absent
	}
	return Open
}
