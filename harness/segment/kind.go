package segment

import "strings"

// A Kind is what a segment is to the connection that it belongs to.
type Kind string

// The kinds. A segment can be of several: a FIN with payload is data as well,
// and an acknowledgement of a FIN is an acknowledgement.
const (
	KindSYN  Kind = "syn"
	KindRST  Kind = "rst"
	KindFIN  Kind = "fin"
	KindData Kind = "data" // anything with payload
	// KindACKOfFIN acknowledges and does nothing else, and covers the peer's FIN.
	KindACKOfFIN Kind = "ack-of-fin"
	// KindACK acknowledges and does nothing else.
	KindACK Kind = "ack"
	KindAny Kind = "any"

	// What the following are depends on what went before, which a Tracker
	// remembers: no Segment is of them by itself.

	// KindAdvancingACK acknowledges, does nothing else, and acknowledges more
	// than its sender ever did before; the first of a connection does.
	KindAdvancingACK Kind = "advancing-ack"
	// KindChallengeACK acknowledges, does nothing else, and asks, not for the
	// first time, for what has been delivered to its sender already: what a
	// challenge ACK looks like (RFC 5961 section 5). One that is the first to ask
	// may have been sent before the delivery, and is taken for an
	// acknowledgement of what came earlier.
	KindChallengeACK Kind = "challenge-ack"
)

// kinds are in the order of what they say, most first.
var kinds = []Kind{KindSYN, KindRST, KindFIN, KindData, KindACKOfFIN, KindACK, KindAny}

// remembered are the kinds that only a Tracker tells.
var remembered = []Kind{KindAdvancingACK, KindChallengeACK}

// String is the kind in a sentence: "ACK of the FIN".
func (k Kind) String() string {
	switch k {
	case KindData, KindAny:
		return string(k)
	case KindACKOfFIN:
		return "ACK of the FIN"
	case KindAdvancingACK:
		return "advancing ACK"
	case KindChallengeACK:
		return "challenge ACK"
	}
	return strings.ToUpper(string(k))
}

// Is reports whether the segment is of a kind. peerFIN is the sequence number
// after the peer's FIN, nil while the peer has sent none. Of the kinds that only a
// Tracker tells it is none.
func (s Segment) Is(k Kind, peerFIN *uint32) bool {
	switch k {
	case KindSYN:
		return s.Flags.Has(SYN)
	case KindRST:
		return s.Flags.Has(RST)
	case KindFIN:
		return s.Flags.Has(FIN)
	case KindData:
		return s.Length > 0
	case KindACKOfFIN:
		return s.IsPureACK() && peerFIN != nil && s.Covers(*peerFIN)
	case KindACK:
		return s.IsPureACK()
	}
	return k == KindAny
}

// Kind is the kind that says the most of the segment.
func (s Segment) Kind(peerFIN *uint32) Kind {
	for _, k := range kinds {
		if s.Is(k, peerFIN) {
			return k
		}
	}
	return KindAny
}
