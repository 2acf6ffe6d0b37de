// Package forge plays a TCP client by hand, segment by segment, with the
// numbers that it is told. The link's own host must have no IP address, so that
// no kernel answers for the client: nothing is sent but what is forged, no stray
// RST above all.
package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

const (
	// port is the client's; it has a host of its own.
	port = 40000
	// iss is the initial send sequence number: in the course of the first
	// octets the numbers begin again at 0.
	iss = 1<<32 - 2000
	// window is what is advertised, in octets.
	window = 65535
)

// A Client is the client's end of a connection. It has no timers: it sends
// nothing by itself and nothing twice. It takes what comes in sequence and
// ignores the rest. It is not for use by several goroutines.
type Client struct {
	// Local and Remote are the connection's addresses, seen from the client.
	Local, Remote netip.AddrPort
	// SndNxt is the next sequence number to be sent, SndUna the oldest one that
	// is not acknowledged, RcvNxt the next one expected (RFC 9293 section
	// 3.3.1).
	SndNxt, SndUna, RcvNxt uint32
	// TSVal is the timestamp on what is sent, and 0 is none: the SYN offers
	// timestamps or does not (RFC 7323 section 3.2).
	TSVal uint32
	// Trace, if not nil, is shown every segment that the client sends or takes.
	Trace func(segment.Segment)

	link  *link
	mss   int    // the most octets that the peer wants in a segment
	read  uint32 // the sequence number of the next octet to be read
	tsEcr uint32 // the peer's last timestamp
	asked uint16 // the number of the last echo request
}

// Open makes a client at one end of a link that is to speak to an address at the
// other, peer, and sends nothing. end.Addresses are not those of end's host, but
// those by which peer's host knows end. The Client has to be aborted.
func Open(end, peer *lab.End, to netip.AddrPort) (*Client, error) {
	link, err := openLink(end, peer)
	if err != nil {
		return nil, fmt.Errorf("open a forged client on %s of %s: %w", end.Name, end.Host.Name, err)
	}
	return &Client{
		Local: netip.AddrPortFrom(end.Addresses[0].Addr(), port), Remote: to,
		SndNxt: iss, SndUna: iss, link: link,
	}, nil
}

// Dial is Open and the three-way handshake (RFC 9293 section 3.5). ctx bounds the
// handshake; a refusal is an error that wraps unix.ECONNRESET.
func Dial(ctx context.Context, end, peer *lab.End, to netip.AddrPort) (*Client, error) {
	c, err := Open(end, peer, to)
	if err != nil {
		return nil, err
	}
	if err := c.ShakeHands(ctx); err != nil {
		c.link.close()
		return nil, err
	}
	return c, nil
}

// ShakeHands opens the connection of a client that has sent nothing yet.
func (c *Client) ShakeHands(ctx context.Context) error {
	if err := c.Synchronise(ctx); err != nil {
		return err
	}
	return c.Acknowledge()
}

// Synchronise sends the SYN and waits for the peer's, which it does not acknowledge.
func (c *Client) Synchronise(ctx context.Context) error {
	if err := c.synchronise(ctx); err != nil {
		return fmt.Errorf("dial %v from %v by hand: %w", c.Remote, c.Local, err)
	}
	return nil
}

func (c *Client) synchronise(ctx context.Context) error {
	syn := segment.Segment{Flags: segment.SYN, Seq: c.SndNxt, Options: segment.Options{MSS: c.link.mss}}
	if err := c.Send(syn); err != nil {
		return err
	}
	c.SndNxt++ // the SYN's
	reply, err := c.next(ctx)
	if err != nil {
		return err
	}
	if !reply.Flags.Has(segment.SYN|segment.ACK) || reply.Ack != c.SndNxt {
		return fmt.Errorf("the SYN was answered by %v", reply)
	}
	c.begin(reply)
	return nil
}

// begin takes the peer's SYN.
func (c *Client) begin(syn segment.Segment) {
	c.mss = 536 // of a peer that does not say (section 3.7.1)
	if syn.Options.MSS != 0 {
		c.mss = int(syn.Options.MSS)
	}
	c.RcvNxt = syn.End()
	c.read = c.RcvNxt
}

// Answer waits for a SYN from a peer that opens a connection, and sends the client's
// own: with an ACK of the peer's, or, where both are to have opened it at the same
// time, without (RFC 9293 section 3.5, figure 7).
func (c *Client) Answer(ctx context.Context, flags segment.Flags) error {
	theirs, err := c.Await(ctx, func(s segment.Segment) bool { return s.Flags.Has(segment.SYN) })
	if err != nil {
		return err
	}
	c.begin(theirs)
	ours := segment.Segment{Flags: segment.SYN | flags, Seq: c.SndNxt, Options: segment.Options{MSS: c.link.mss}}
	if flags.Has(segment.ACK) {
		ours.Ack = c.RcvNxt
	}
	c.SndNxt++ // the SYN's
	return c.Send(ours)
}

// Send sends a segment with the numbers that it has; addresses and, where it has
// none, window and timestamps are filled in. The client's own numbers stay as they
// are.
func (c *Client) Send(s segment.Segment) error {
	s.Src, s.Dst, s.Window = c.Local, c.Remote, cmp.Or(s.Window, window)
	if c.TSVal != 0 && !s.Options.HasTimestamps && !s.Flags.Has(segment.RST) {
		s.Options.HasTimestamps, s.Options.TSVal = true, c.TSVal
	}
	if s.Options.HasTimestamps && s.Flags.Has(segment.ACK) {
		s.Options.TSEcr = cmp.Or(s.Options.TSEcr, c.tsEcr)
	}
	if err := c.link.send(s); err != nil {
		return err
	}
	c.trace(s)
	return nil
}

func (c *Client) trace(s segment.Segment) {
	if c.Trace != nil {
		c.Trace(s)
	}
}

// Acknowledge acknowledges everything that has come in sequence.
func (c *Client) Acknowledge() error {
	return c.Send(segment.Segment{Flags: segment.ACK, Seq: c.SndNxt, Ack: c.RcvNxt})
}

// Write sends n octets, zeros, in segments as large as the peer takes them, the
// last one with PSH (RFC 9293 section 3.9.1.2). They have to fit into the peer's
// window, at which the client does not look.
func (c *Client) Write(n int) error {
	for n > 0 {
		s := segment.Segment{Flags: segment.ACK, Seq: c.SndNxt, Ack: c.RcvNxt, Length: min(n, c.mss)}
		if n -= s.Length; n == 0 {
			s.Flags |= segment.PSH
		}
		if err := c.Send(s); err != nil {
			return err
		}
		c.SndNxt = s.End()
	}
	return nil
}

// Read waits for the peer's next n octets and acknowledges them.
func (c *Client) Read(ctx context.Context, n int) error {
	end := c.read + uint32(n)
	for segment.Before(c.RcvNxt, end) {
		if _, err := c.next(ctx); err != nil {
			return fmt.Errorf("read %d octets from %v: %w", n, c.Remote, err)
		}
	}
	c.read = end
	return c.Acknowledge()
}

// Await waits for the peer's next segment that matches. What comes before it is
// taken, too. The error is ctx's when that ends, and wraps unix.ECONNRESET when
// the peer sends a RST.
func (c *Client) Await(ctx context.Context, match func(segment.Segment) bool) (segment.Segment, error) {
	for {
		s, err := c.next(ctx)
		if err != nil {
			return segment.Segment{}, fmt.Errorf("wait for a segment from %v: %w", c.Remote, err)
		}
		if match(s) {
			return s, nil
		}
	}
}

// next waits for the peer's next segment and takes it; a RST is an error.
func (c *Client) next(ctx context.Context) (segment.Segment, error) {
	for {
		frame, err := c.link.receive(ctx)
		if err != nil {
			return segment.Segment{}, err
		}
		s, ours, err := c.take(frame)
		switch {
		case err != nil:
			return segment.Segment{}, err
		case ours && s.Flags.Has(segment.RST):
			return segment.Segment{}, fmt.Errorf("the peer sent %v: %w", s, unix.ECONNRESET)
		case ours:
			return s, nil
		}
	}
}

// take takes the segment in a frame, if there is one and it is the connection's
// (RFC 9293 section 3.10.7.4).
func (c *Client) take(frame []byte) (s segment.Segment, ours bool, err error) {
	s, err = c.link.decoder.Decode(frame)
	switch {
	case errors.Is(err, segment.ErrNotTCP):
		return s, false, nil
	case err != nil:
		return s, false, err
	case s.Src != c.Remote || s.Dst != c.Local:
		return s, false, nil
	}
	c.trace(s)
	if s.Flags.Has(segment.RST) {
		return s, true, nil
	}
	if s.Flags.Has(segment.ACK) && segment.Before(c.SndUna, s.Ack) {
		c.SndUna = s.Ack
	}
	if s.Seq == c.RcvNxt {
		c.RcvNxt = s.End()
	}
	if s.Options.HasTimestamps {
		c.tsEcr = s.Options.TSVal
	}
	return s, true, nil
}

// Abort sends a RST and lets go of the link. The peer accepts the RST in whatever
// state the connection is, since its sequence number is the one that the peer
// expects (RFC 9293 section 3.10.7.4, RFC 5961 section 3.2): what has been written
// has arrived, and what else has been accepted, the peer has said.
func (c *Client) Abort() {
	rst := segment.Segment{Flags: segment.RST, Seq: c.SndNxt}
	if segment.Before(rst.Seq, c.SndUna) {
		rst.Seq = c.SndUna
	}
	_ = c.Send(rst) // a link that is gone has no peer either
	c.link.close()
}
