package wire

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// A connection is what a segment has to have to belong to it. The two SYNs tell.
type connection struct {
	numbering segment.Numbering
	sides     [2]origin
}

// An origin is where the segments of one side come from.
type origin struct {
	address netip.AddrPort
	mac     []byte // nil before the side's SYN
}

// learn takes in a segment and the frame that it was read from.
func (c *connection) learn(from segment.Side, s segment.Segment, octets []byte) {
	if !s.Flags.Has(segment.SYN) {
		return
	}
	c.sides[from] = origin{s.Src, slices.Clone(octets[6:12])}
	if from == segment.Client {
		c.numbering.Client, c.numbering.ClientPort = s.Seq, s.Src.Port()
	} else {
		c.numbering.Server = s.Seq
	}
}

// errUnknown is why nothing can be sent in the name of a side.
var errUnknown = errors.New("the wire has not seen both SYNs of the connection")

// known reports whether both sides' SYNs have been seen.
func (c *connection) known() bool { return c.sides[0].mac != nil && c.sides[1].mac != nil }

// frame writes a segment whose numbers count from the connection's beginning as one
// that a side has sent.
func (c *connection) frame(from segment.Side, s segment.Segment) ([]byte, error) {
	own, peer := c.sides[from], c.sides[from.Peer()]
	if !c.known() {
		return nil, errUnknown
	}
	s.Src, s.Dst = own.address, peer.address
	return c.numbering.Absolute(s).Encode(own.mac, peer.mac)
}
