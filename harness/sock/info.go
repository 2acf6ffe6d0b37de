package sock

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Info is what the kernel says of a socket that a program still holds.
type Info struct {
	// TCP is TCP_INFO. It is answered in every state, TIME_WAIT included, as
	// long as the descriptor is open.
	TCP unix.TCPInfo
	// Drops is how many segments were dropped on the socket: the entry
	// SK_MEMINFO_DROPS of SO_MEMINFO (Linux 4.12).
	Drops uint32
}

// Info asks the kernel. After Close its error wraps os.ErrClosed.
func (c *Conn) Info() (Info, error) {
	var info Info
	err := c.socket.control(func(fd int) error {
		tcp, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("TCP_INFO: %w", err)
		}
		info.TCP = *tcp
		if info.Drops, err = drops(fd); err != nil {
			return fmt.Errorf("SO_MEMINFO: %w", err)
		}
		return nil
	})
	if err != nil {
		return Info{}, fmt.Errorf("ask the kernel about the connection to %v: %w", c.Remote, err)
	}
	return info, nil
}

// drops reads the last of SO_MEMINFO's entries, SK_MEMINFO_DROPS of
// include/uapi/linux/sock_diag.h. x/sys/unix has no call for an array.
func drops(fd int) (uint32, error) {
	const last = 8
	var meminfo [last + 1]uint32
	size := uint32(unsafe.Sizeof(meminfo))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&meminfo)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return 0, errno
	}
	if size < uint32(unsafe.Sizeof(meminfo)) {
		return 0, fmt.Errorf("the kernel filled %d octets, which holds no count of drops", size)
	}
	return meminfo[last], nil
}
