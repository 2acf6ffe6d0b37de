package sock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Queued is temporary.
func (c *Conn) Queued() (inFlight, unsent int, err error) {
	if err := c.socket.control(func(fd int) error {
		all, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		if err != nil {
			return err
		}
		unsent, err = unix.IoctlGetInt(fd, unix.SIOCOUTQNSD)
		inFlight = all - unsent
		return err
	}); err != nil {
		return 0, 0, fmt.Errorf("q: %w", err)
	}
	return inFlight, unsent, nil
}
