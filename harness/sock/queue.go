package sock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Queued returns how many octets the kernel keeps that the peer has yet to
// acknowledge: those that were sent (in flight, or lost), and those still to be
// sent, because of the peer's window or the congestion window. A FIN counts as
// one. See SIOCOUTQ in tcp(7), which counts both; SIOCOUTQNSD is Linux's alone
// (net/ipv4/tcp.c, tcp_ioctl).
func (c *Conn) Queued() (inFlight, unsent int, err error) {
	var all int
	if err = c.socket.control(func(fd int) (err error) {
		// Two questions have one answer if nothing was written or sent between.
		for before := -1; before != unsent; {
			if before, err = unix.IoctlGetInt(fd, unix.SIOCOUTQNSD); err != nil {
				return fmt.Errorf("SIOCOUTQNSD: %w", err)
			}
			if all, err = unix.IoctlGetInt(fd, unix.SIOCOUTQ); err != nil {
				return fmt.Errorf("SIOCOUTQ: %w", err)
			}
			if unsent, err = unix.IoctlGetInt(fd, unix.SIOCOUTQNSD); err != nil {
				return fmt.Errorf("SIOCOUTQNSD: %w", err)
			}
		}
		return nil
	}); err != nil {
		return 0, 0, fmt.Errorf("ask what is queued on the connection to %v: %w", c.Remote, err)
	}
	return all - unsent, unsent, nil
}
