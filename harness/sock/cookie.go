package sock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Cookie returns the number that no other socket has had since boot
// (socket(7), SO_COOKIE). Asking for it makes the kernel give one.
func (c *Conn) Cookie() (uint64, error) {
	var cookie uint64
	err := c.socket.control(func(fd int) (err error) {
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ask for the cookie of the connection to %v: SO_COOKIE: %w", c.Remote, err)
	}
	return cookie, nil
}
