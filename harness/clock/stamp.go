package clock

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// StampSpace is how many octets of control messages Stamp needs: one struct
// timespec.
var StampSpace = unix.CmsgSpace(16)

// Stamp returns when the kernel received or sent what came with these control
// messages on a socket with SO_TIMESTAMPNS (socket(7)): on CLOCK_REALTIME, in
// nanoseconds since 1970, for Offset.Monotonic.
func Stamp(control []byte) (realtime int64, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, fmt.Errorf("read the time stamp of a frame: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			seconds, nanoseconds := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return int64(seconds)*1e9 + int64(nanoseconds), nil
		}
	}
	return 0, errors.New("a frame came without a time stamp")
}
