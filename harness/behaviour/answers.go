package behaviour

import "github.com/finwait/finwait/harness/segment"

// none reports whether there was no answer.
func none(answers []segment.Segment) bool { return len(answers) == 0 }

// one reports whether there was one answer, and it was such a one.
func one(answers []segment.Segment, is func(segment.Segment) bool) bool {
	return len(answers) == 1 && is(answers[0])
}

func isFIN(s segment.Segment) bool { return s.Flags.Has(segment.FIN) && !s.Flags.Has(segment.RST) }

func isRST(s segment.Segment) bool { return s.Flags.Has(segment.RST) }

// acknowledges is a pure ACK that asks for seq next.
func acknowledges(seq uint32) func(segment.Segment) bool {
	return func(s segment.Segment) bool { return s.IsPureACK() && s.Ack == seq }
}
