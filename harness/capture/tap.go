package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
)

const (
	// snap is how much of a frame is kept: Ethernet, IPv6, and a TCP header
	// with all the options it can hold, with room to spare.
	snap = 192
	// receiveBuffer holds about ten thousand small frames, far more than a
	// teardown has, so that no reader has to be fast.
	receiveBuffer = 8 << 20
)

// A tap is a packet socket bound to one interface: it gets a copy of every
// frame the interface sends, after its qdisc, or receives, before tc ingress
// (net/core/dev.c, dev_queue_xmit_nit and __netif_receive_skb_core). See
// packet(7).
type tap struct {
	end  *lab.End
	file *os.File
	raw  rawConn

	drops uint64 // as far as the kernel has been asked
}

// rawConn is the part of syscall.RawConn that a tap needs.
type rawConn interface {
	Control(func(fd uintptr)) error
	Read(func(fd uintptr) (done bool)) error
}

// A frame is what one recvmsg(2) on a tap brought.
type frame struct {
	octets []byte // at most snap
	length int    // on the link
	stamp  int64  // CLOCK_REALTIME, nanoseconds
	sent   bool   // by the tap's own host
	ours   bool   // sent by the tap's own host, or addressed to it
}

func openTap(end *lab.End) (*tap, error) {
	fail := func(err error) error {
		return fmt.Errorf("open a tap on %s of %s: %w", end.Name, end.Host.Name, err)
	}
	fd, err := end.Tap(receiveBuffer)
	if err != nil {
		return nil, fail(err)
	}
	t := &tap{end: end, file: os.NewFile(uintptr(fd), "tap")}
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, fail(err)
	}
	return t, nil
}

// next waits for a frame, or until the tap is closed.
func (t *tap) next() (frame, error) {
	var (
		f   frame
		err error
	)
	wait := t.raw.Read(func(fd uintptr) bool {
		f, err = receive(int(fd))
		return !errors.Is(err, unix.EAGAIN)
	})
	if wait != nil {
		return frame{}, wait
	}
	return f, err
}

func receive(fd int) (frame, error) {
	octets := make([]byte, snap)
	control := make([]byte, clock.StampSpace)
	// MSG_TRUNC makes the kernel return the whole length of the frame.
	n, controlLen, _, from, err := unix.Recvmsg(fd, octets, control, unix.MSG_TRUNC)
	if err != nil {
		return frame{}, err
	}
	stamp, err := clock.Stamp(control[:controlLen])
	if err != nil {
		return frame{}, err
	}
	link, ok := from.(*unix.SockaddrLinklayer)
	if !ok {
		return frame{}, fmt.Errorf("a frame came from %T, not from a link", from)
	}
	return frame{
		octets: octets[:min(n, snap)],
		length: n,
		stamp:  stamp,
		sent:   link.Pkttype == unix.PACKET_OUTGOING,
		ours:   link.Pkttype == unix.PACKET_OUTGOING || link.Pkttype == unix.PACKET_HOST,
	}, nil
}

// lost returns how many frames the kernel could not queue for the tap since it
// was opened. The kernel forgets its count when it is read
// (net/packet/af_packet.c, packet_getsockopt).
func (t *tap) lost() (uint64, error) {
	var (
		stats *unix.TpacketStats
		err   error
	)
	if control := t.raw.Control(func(fd uintptr) {
		stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); control != nil {
		err = control
	}
	if err != nil {
		return 0, fmt.Errorf("ask the tap on %s of %s what it lost: %w", t.end.Name, t.end.Host.Name, err)
	}
	t.drops += uint64(stats.Drops)
	return t.drops, nil
}

func (t *tap) close() { t.file.Close() }
