package wire

import (
	"fmt"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
)

// ask sends a side an echo request, as if its peer had, and returns its number. The reply
// is there when that is done, as a rule: taken in here, it costs no change of threads.
func (h *Hand) ask(side segment.Side) (number uint16, err error) {
	w := h.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	h.asked++
	from, host := w.board.connection.sides[side.Peer()], w.board.connection.sides[side]
	octets, err := segment.EchoRequest(from.address.Addr(), host.address.Addr(), from.mac, host.mac, h.asked)
	if err != nil {
		return 0, fmt.Errorf("ask the %v for an echo: %w", side, err)
	}
	if err := w.send(frame{from: side.Peer(), octets: octets, came: clock.Now()}); err != nil {
		return 0, err
	}
	return h.asked, w.drain(side)
}
