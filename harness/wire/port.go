package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
)

// receiveBuffer holds some ten thousand frames, should the relaying thread have
// to wait for its processor.
const receiveBuffer = 32 << 20

// openPort opens a packet socket that gets what passes the end, whoever it is
// addressed to.
func openPort(end *lab.End) (int, error) {
	var fd int
	if err := end.Host.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		return -1, fmt.Errorf("socket(AF_PACKET): %w", err)
	}
	fail := func(what string, err error) (int, error) {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", what, err)
	}
	// SO_RCVBUFFORCE is not for everyone who may open a wire; without it the
	// buffer is as large as net.core.rmem_max allows, and what does not fit is
	// counted.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fail("enlarge the receive buffer", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fail("ask for time stamps", err)
	}
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8) // in network order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: end.Index}); err != nil {
		return fail("bind", err)
	}
	return fd, nil
}

// receive reads the next frame that came in at a port; own is true of one that
// went out there.
func receive(port int, buffer []byte) (n int, came clock.Instant, own bool, err error) {
	control := make([]byte, unix.CmsgSpace(16)) // one struct timespec
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
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, fmt.Errorf("read the time stamp of a frame: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			seconds, nanoseconds := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			stamp := int64(seconds)*1e9 + int64(nanoseconds)
			return min(clock.MeasureOffset().Monotonic(stamp), clock.Now()), nil
		}
	}
	return 0, errors.New("a frame came without a time stamp")
}
