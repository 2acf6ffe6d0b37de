package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Rule says what a wire does to one segment of a connection: to the first
// that its selector picks once the rule is armed. It is written as a sentence:
//
//	hold SELECTOR until SELECTOR   keep it back until the other has been delivered
//	drop SELECTOR                  do not deliver it
//	duplicate SELECTOR             deliver it twice, one right behind the other
//	delay SELECTOR by DURATION     deliver it later, by that much or a little more
//
// See segment.ParseSelector for selectors. No timer takes part in hold.
type Rule struct {
	text  string
	act   action
	what  segment.Selector
	until segment.Selector // of a hold
	by    time.Duration    // of a delay
}

type action string

const (
	hold      action = "hold"
	drop      action = "drop"
	duplicate action = "duplicate"
	delay     action = "delay"
)

// ParseRule reads a rule. Its error shows what is wrong, and where.
func ParseRule(text string) (Rule, error) {
	fail := func(err error) (Rule, error) { return Rule{}, fmt.Errorf("rule %q: %w", text, err) }
	verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	r := Rule{text: text, act: action(verb)}
	what, argument := rest, ""
	switch r.act {
	case drop, duplicate:
	case hold:
		var found bool
		if what, argument, found = strings.Cut(rest, " until "); !found {
			return fail(fmt.Errorf("until what? want hold SELECTOR until SELECTOR"))
		}
	case delay:
		var found bool
		if what, argument, found = strings.Cut(rest, " by "); !found {
			return fail(fmt.Errorf("by how much? want delay SELECTOR by DURATION"))
		}
	default:
		return fail(fmt.Errorf("it begins with %q: want %s, %s, %s or %s", verb, hold, drop, duplicate, delay))
	}
	var err error
	if r.what, err = segment.ParseSelector(what); err != nil {
		return fail(err)
	}
	switch r.act {
	case hold:
		if r.until, err = segment.ParseSelector(argument); err != nil {
			return fail(err)
		}
	case delay:
		if r.by, err = time.ParseDuration(strings.TrimSpace(argument)); err != nil {
			return fail(err)
		}
		if r.by <= 0 {
			return fail(fmt.Errorf("the duration %v should be above 0", r.by))
		}
	}
	return r, nil
}

// String is the text that ParseRule read.
func (r Rule) String() string { return r.text }
