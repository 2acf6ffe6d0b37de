package wire

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
)

// receiveBuffer holds some ten thousand frames, should the relaying thread have
// to wait for its processor; what does not fit is counted.
const receiveBuffer = 32 << 20

// receive reads the next frame that came in at a port; own is true of one that
// went out there.
func receive(port int, buffer []byte) (n int, came clock.Instant, own bool, err error) {
	control := make([]byte, clock.StampSpace)
	n, controlLength, _, sender, err := unix.Recvmsg(port, buffer, control, unix.MSG_TRUNC)
	if err != nil {
		return 0, 0, false, err
	}
	if n > len(buffer) {
		return 0, 0, false, fmt.Errorf("a frame of %d octets: offloads are on", n)
	}
	if came, err = arrival(control[:controlLength]); err != nil {
		return 0, 0, false, err
	}
	link, ok := sender.(*unix.SockaddrLinklayer)
	return n, came, ok && link.Pkttype == unix.PACKET_OUTGOING, nil
}

// arrival is when the kernel received a frame, which it tells on
// CLOCK_REALTIME. Should that be set back before the frame is read, it is when
// it is read.
func arrival(control []byte) (clock.Instant, error) {
	stamp, err := clock.Stamp(control)
	if err != nil {
		return 0, err
	}
	return min(clock.MeasureOffset().Monotonic(stamp), clock.Now()), nil
}
