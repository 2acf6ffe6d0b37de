package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Rule says what a wire does to one segment of a connection: to the first
// that its selector picks once the rule is armed. It is written as a sentence:
//
//	hold SELECTOR until SELECTOR   keep it back until the other has been delivered
//	swap SELECTOR with SELECTOR    of two of one side, keep back the one that comes
//	                               first until the other has been delivered
//	drop SELECTOR                  do not deliver it
//	duplicate SELECTOR             deliver it twice, one right behind the other
//	delay SELECTOR by DURATION     deliver it later, by that much or a little more
//
// With "maybe " before it, a rule need not find its segment. See
// segment.ParseSelector for selectors. No timer takes part in hold and swap.
type Rule struct {
	text  string
	maybe bool
	act   action
	what  segment.Selector
	other segment.Selector // of a hold and a swap
	by    time.Duration    // of a delay
}

type action string

const (
	hold      action = "hold"
	swap      action = "swap"
	drop      action = "drop"
	duplicate action = "duplicate"
	delay     action = "delay"
)

// A sentence is what a rule says besides its segment.
type sentence struct {
	joint string // what stands between its two parts, if it has two
	lacks string // the error of one that ends before the second
}

var sentences = map[action]sentence{
	hold:      {" until ", "until what? want hold SELECTOR until SELECTOR"},
	swap:      {" with ", "with what? want swap SELECTOR with SELECTOR"},
	drop:      {},
	duplicate: {},
	delay:     {" by ", "by how much? want delay SELECTOR by DURATION"},
}

// ParseRule reads a rule. Its error shows what is wrong, and where.
func ParseRule(text string) (Rule, error) {
	r := Rule{text: text}
	if err := r.read(strings.TrimSpace(text)); err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", text, err)
	}
	return r, nil
}

func (r *Rule) read(text string) error {
	if rest, found := strings.CutPrefix(text, "maybe "); found {
		r.maybe, text = true, strings.TrimSpace(rest)
	}
	verb, what, _ := strings.Cut(text, " ")
	r.act = action(verb)
	says, known := sentences[r.act]
	if !known {
		return fmt.Errorf("it begins with %q: want %s, %s, %s, %s or %s", verb, hold, swap, drop, duplicate, delay)
	}
	argument := ""
	if says.joint != "" {
		var found bool
		if what, argument, found = strings.Cut(what, says.joint); !found {
			return errors.New(says.lacks)
		}
	}
	var err error
	if r.what, err = segment.ParseSelector(what); err != nil {
		return err
	}
	switch r.act {
	case hold, swap:
		r.other, err = segment.ParseSelector(argument)
	case delay:
		r.by, err = time.ParseDuration(strings.TrimSpace(argument))
	}
	if err != nil {
		return err
	}
	return r.check()
}

// check finds what can be read and yet not be done.
func (r *Rule) check() error {
	if r.act == delay && r.by <= 0 {
		return fmt.Errorf("the duration %v should be above 0", r.by)
	}
	if r.act == swap && r.what.Side() != r.other.Side() {
		return fmt.Errorf("%q and %q should be of one side: there is no order between what two sides send", r.what, r.other)
	}
	return nil
}

// String is the text that ParseRule read.
func (r Rule) String() string { return r.text }
