package sock

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SetUserTimeout sets TCP_USER_TIMEOUT (tcp(7)), in whole milliseconds: how long
// what was sent may stay unacknowledged, or unsent before a window of 0, until the
// kernel gives the connection up. 0 leaves it to the kernel.
func (c *Conn) SetUserTimeout(d time.Duration) error {
	return c.set("TCP_USER_TIMEOUT", option{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds())})
}

// A Keepalive is when a program wants the kernel to ask whether the peer is still
// there, in whole seconds (tcp(7)).
type Keepalive struct {
	// Idle is how long nothing has to have come from the peer before it is asked,
	// and Interval how long it may take to answer (TCP_KEEPIDLE, TCP_KEEPINTVL).
	Idle, Interval time.Duration
	// Probes is how often it is asked before the connection is reset
	// (TCP_KEEPCNT).
	Probes int
}

// SetKeepalive turns SO_KEEPALIVE on.
func (c *Conn) SetKeepalive(k Keepalive) error {
	return c.set("SO_KEEPALIVE",
		option{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(k.Idle.Seconds())},
		option{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(k.Interval.Seconds())},
		option{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, k.Probes},
		option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1})
}

// An option is one that setsockopt(2) sets to a number.
type option struct{ level, name, value int }

func (c *Conn) set(what string, options ...option) error {
	for _, o := range options {
		if err := c.socket.control(func(fd int) error {
			return unix.SetsockoptInt(fd, o.level, o.name, o.value)
		}); err != nil {
			return fmt.Errorf("set %s of the connection to %v: %w", what, c.Remote, err)
		}
	}
	return nil
}
