package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Rule says what a wire does to one segment of a connection, or because of one:
// the first that its selector picks once the rule is armed; or to every one that it
// picks. It is written as a sentence:
//
//	hold SELECTOR until SELECTOR   keep it back until the other has been delivered
//	hold SELECTOR until released   keep it back until Wire.Release
//	release SELECTOR when SELECTOR comes
//	                               end such holds of the first when the other has come to
//	                               the wire's other end, and been delivered or kept back
//	swap SELECTOR with SELECTOR    of two of one side, keep back the one that comes
//	                               first until the other has been delivered
//	drop SELECTOR                  do not deliver it
//	drop every SELECTOR            deliver none of them
//	drop every SELECTOR after SELECTOR
//	                               deliver none of them once the other has been
//	                               delivered
//	duplicate SELECTOR             deliver it twice, one right behind the other
//	delay SELECTOR by DURATION     deliver it later, by that much or a little more
//	inject SIDE SEGMENT after SELECTOR
//	                               right behind what the selector picks, deliver the
//	                               SEGMENT to SIDE's peer, as if SIDE had sent it
//
// With "maybe " before it, a rule need not find its segment. See
// segment.ParseSelector for selectors, segment.Parse for a SEGMENT; its numbers
// count from the connection's beginning (segment.Numbering), whose SYNs the wire
// must have passed on. No rule picks a segment that another one has injected. No
// timer takes part in hold, release, swap and inject.
type Rule struct {
	text  string
	maybe bool
	act   action
	what  segment.Selector
	other segment.Selector // of a hold, a release, a swap and an inject, and of what begins after it
	every bool             // of a drop: it acts on all that it picks
	late  bool             // of such a drop: not before the other has been delivered
	told  bool             // of a hold: until it is released
	by    time.Duration    // of a delay
	side  segment.Side     // of an inject
	own   segment.Segment  // of an inject
}

// released is what a hold may wait for in the place of a segment.
const released = "released"

type action string

const (
	hold      action = "hold"
	release   action = "release"
	swap      action = "swap"
	drop      action = "drop"
	duplicate action = "duplicate"
	delay     action = "delay"
	inject    action = "inject"
)

// A sentence is what a rule says besides its segment.
type sentence struct {
	joint string // what stands between its two parts, if it has two
	lacks string // the error of one that ends before the second
}

var sentences = map[action]sentence{
	hold:      {" until ", "until what? want hold SELECTOR until SELECTOR, or until released"},
	release:   {" when ", "when what comes? want release SELECTOR when SELECTOR comes"},
	swap:      {" with ", "with what? want swap SELECTOR with SELECTOR"},
	drop:      {},
	duplicate: {},
	delay:     {" by ", "by how much? want delay SELECTOR by DURATION"},
	inject:    {" after ", "after what? want inject SIDE SEGMENT after SELECTOR"},
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
		return fmt.Errorf("it begins with %q: want %s, %s, %s, %s, %s, %s or %s",
			verb, hold, release, swap, drop, duplicate, delay, inject)
	}
	argument := ""
	if says.joint != "" {
		var found bool
		if what, argument, found = strings.Cut(what, says.joint); !found {
			return errors.New(says.lacks)
		}
	}
	if rest, found := strings.CutPrefix(what, "every "); found && r.act == drop {
		r.every = true
		what, argument, r.late = strings.Cut(rest, " after ")
	}
	var err error
	if r.act == inject {
		err = r.readOwn(what)
	} else {
		r.what, err = segment.ParseSelector(what)
	}
	if err != nil {
		return err
	}
	if r.act == release {
		var found bool
		if argument, found = strings.CutSuffix(argument, " comes"); !found {
			return errors.New(says.lacks)
		}
	}
	r.told = r.act == hold && strings.TrimSpace(argument) == released
	switch {
	case r.told:
	case r.act == hold || r.act == release || r.act == swap || r.act == inject || r.late:
		r.other, err = segment.ParseSelector(argument)
	case r.act == delay:
		r.by, err = time.ParseDuration(strings.TrimSpace(argument))
	}
	if err != nil {
		return err
	}
	return r.check()
}

// readOwn reads what an inject delivers.
func (r *Rule) readOwn(text string) (err error) {
	side, own, _ := strings.Cut(strings.TrimSpace(text), " ")
	if err := r.side.UnmarshalText([]byte(side)); err != nil {
		return err
	}
	r.own, err = segment.Parse(own)
	return err
}

// check finds what can be read and yet not be done.
func (r *Rule) check() error {
	if r.act == delay && r.by <= 0 {
		return fmt.Errorf("the duration %v should be above 0", r.by)
	}
	if r.every && r.what.Number() > 0 {
		return fmt.Errorf("%q is one segment, and every one is to be dropped", r.what)
	}
	if r.act == swap && r.what.Side() != r.other.Side() {
		return fmt.Errorf("%q and %q should be of one side: there is no order between what two sides send", r.what, r.other)
	}
	return nil
}

// String is the text that ParseRule read.
func (r Rule) String() string { return r.text }
