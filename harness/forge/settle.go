package forge

import (
	"context"
	"fmt"

	"github.com/finwait/finwait/harness/segment"
)

// Settle returns what the peer has sent that was not taken before, RSTs included,
// and answers everything that it was sent. None at all is proof that it was silent.
//
// It sends an echo request (ICMP) and waits for the reply, which the peer's kernel
// gives by itself, behind whatever its TCP has to say: segments and request are dealt
// with one after the other, and the answers come back in that order. That holds
// where all of it happens on one processor, the peer's system calls included: the
// calling thread has to stay on one (lab.Pin), and nobody else may use the sockets
// meanwhile. What TCP sends later, by a timer, is for another Settle: a delayed
// acknowledgement (see lab.RouteMetrics.QuickACK), a retransmission.
func (c *Client) Settle(ctx context.Context) ([]segment.Segment, error) {
	fail := func(err error) ([]segment.Segment, error) {
		return nil, fmt.Errorf("wait for %v to answer an echo request: %w", c.Remote.Addr(), err)
	}
	c.asked++
	request, err := segment.EchoRequest(c.Local.Addr(), c.Remote.Addr(), c.link.from, c.link.to, c.asked)
	if err != nil {
		return fail(err)
	}
	if err := c.link.write(request); err != nil {
		return fail(err)
	}
	var taken []segment.Segment
	for {
		frame, err := c.link.receive(ctx)
		if err != nil {
			return fail(err)
		}
		if number, reply := segment.EchoReply(frame); reply && number == c.asked {
			return taken, nil
		}
		s, ours, err := c.take(frame)
		if err != nil {
			return fail(err)
		}
		if ours {
			taken = append(taken, s)
		}
	}
}
