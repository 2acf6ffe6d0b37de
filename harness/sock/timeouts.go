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
	return c.set("TCP_USER_TIMEOUT",
		option{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, Option{"TCP_USER_TIMEOUT", int(d.Milliseconds())}})
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
		option{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, Option{"TCP_KEEPIDLE", int(k.Idle.Seconds())}},
		option{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, Option{"TCP_KEEPINTVL", int(k.Interval.Seconds())}},
		option{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, Option{"TCP_KEEPCNT", k.Probes}},
		option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, Option{"SO_KEEPALIVE", 1}})
}

// SetLinger2 sets TCP_LINGER2 (tcp(7)), how many seconds the connection stays
// in FIN_WAIT2 once its program is gone: 0 means net.ipv4.tcp_fin_timeout,
// less than 0 not at all, more than 120 is taken as 120 (net/ipv4/tcp.c,
// do_tcp_setsockopt).
func (c *Conn) SetLinger2(seconds int) error {
	return c.set("TCP_LINGER2", option{unix.IPPROTO_TCP, unix.TCP_LINGER2, Option{"TCP_LINGER2", seconds}})
}

// An Option is one that setsockopt(2) has set to a number, by the name of its constant.
type Option struct {
	Name  string
	Value int
}

// Options are those that were set on the connection, in this order, but for what a
// Closing sets.
func (c *Conn) Options() []Option { return c.options }

// option is an Option and where it belongs.
type option struct {
	level, name int
	Option
}

func (c *Conn) set(what string, options ...option) error {
	for _, o := range options {
		if err := c.socket.control(func(fd int) error {
			return unix.SetsockoptInt(fd, o.level, o.name, o.Value)
		}); err != nil {
			return fmt.Errorf("set %s of the connection to %v: %w", what, c.Remote, err)
		}
		c.options = append(c.options, o.Option)
	}
	return nil
}
