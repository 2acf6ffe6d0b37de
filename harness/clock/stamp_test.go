package clock

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A datagram from a socket to itself is stamped when it is received.
func TestStamp(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	control := make([]byte, StampSpace)
	for _, stamps := range []int{0, 1} {
		if err := unix.SetsockoptInt(ends[1], unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, stamps); err != nil {
			t.Fatal(err)
		}
		before := read(unix.CLOCK_REALTIME)
		if _, err := unix.Write(ends[0], []byte{0}); err != nil {
			t.Fatal(err)
		}
		_, n, _, _, err := unix.Recvmsg(ends[1], make([]byte, 1), control, 0)
		if err != nil {
			t.Fatal(err)
		}
		switch got, err := Stamp(control[:n]); {
		case stamps == 0 && err == nil:
			t.Errorf("a datagram without a stamp was stamped %d", got)
		case stamps == 1 && (err != nil || got < before || got > read(unix.CLOCK_REALTIME)):
			t.Errorf("a datagram sent at %d was stamped %d (%v)", before, got, err)
		}
	}
}
