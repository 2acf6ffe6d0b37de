package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

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
	fd, err := packetSocket(end, unix.ETH_P_ALL)
	if err != nil {
		return nil, fail(err)
	}
	t := &tap{end: end, file: os.NewFile(uintptr(fd), "tap")}
	if t.raw, err = t.file.SyscallConn(); err == nil {
		err = t.configure(fd)
	}
	if err != nil {
		t.file.Close()
		return nil, fail(err)
	}
	return t, nil
}

func (t *tap) configure(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("ask for time stamps: %w", err)
	}
	// SO_RCVBUFFORCE is not for everyone who may open a tap; without it the
	// buffer is as large as net.core.rmem_max allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
		return fmt.Errorf("enlarge the receive buffer: %w", err)
	}
	return nil
}

// packetSocket opens a non-blocking packet socket in the end's namespace,
// bound to the end. Protocol 0 receives nothing.
func packetSocket(end *lab.End, protocol uint16) (int, error) {
	fd := -1
	err := end.Host.Do(func() error {
		var err error
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("socket(AF_PACKET): %w", err)
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(protocol), Ifindex: end.Index}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind to interface %d: %w", end.Index, err)
	}
	return fd, nil
}

func bigEndian(v uint16) uint16 { return v<<8 | v>>8 }

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
	control := make([]byte, unix.CmsgSpace(16)) // one struct timespec
	// MSG_TRUNC makes the kernel return the whole length of the frame.
	n, controlLen, _, from, err := unix.Recvmsg(fd, octets, control, unix.MSG_TRUNC)
	if err != nil {
		return frame{}, err
	}
	stamp, err := timestamp(control[:controlLen])
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

func timestamp(control []byte) (int64, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, fmt.Errorf("read the time stamp of a frame: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			seconds := int64(binary.NativeEndian.Uint64(m.Data))
			nanoseconds := int64(binary.NativeEndian.Uint64(m.Data[8:]))
			return seconds*1e9 + nanoseconds, nil
		}
	}
	return 0, errors.New("a frame came without a time stamp")
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
