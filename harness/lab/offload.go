package lab

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloads are the ETHTOOL commands that turn off what would make a tap see
// other segments than a wire would carry: checksums left to the hardware, and
// segments larger than the MTU, sent or received (include/uapi/linux/ethtool.h).
var offloads = []struct {
	name    string
	command uint32
}{
	{"tx checksumming", unix.ETHTOOL_STXCSUM},
	{"TSO", unix.ETHTOOL_STSO},
	{"GSO", unix.ETHTOOL_SGSO},
	{"GRO", unix.ETHTOOL_SGRO},
}

// ifreqData is struct ifreq with its union as a pointer, and ethtoolValue
// struct ethtool_value.
type (
	ifreqData struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	ethtoolValue struct{ command, data uint32 }
)

// turnOffloadsOff makes the ioctls by itself, on a socket of the end's namespace,
// because the ethtool library looks up features by name each time, which takes as
// long as making a namespace does.
func (e *End) turnOffloadsOff(fd int) error {
	for _, o := range offloads {
		value := ethtoolValue{command: o.command}
		request := ifreqData{data: unsafe.Pointer(&value)}
		copy(request.name[:unix.IFNAMSIZ-1], e.Name)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return fmt.Errorf("turn off %s: %w", o.name, errno)
		}
	}
	return nil
}
