package sock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// AckAtOnce sends the acknowledgement that the kernel holds back in the hope of
// data to send it with, for 40 ms as a rule (TCP_ATO_MIN). Where none is held
// back nothing is sent.
//
// A peer's FIN that ends an ESTABLISHED connection is acknowledged that late
// always, because it turns pingpong mode on (net/ipv4/tcp_input.c, tcp_fin); in
// FIN_WAIT1 and FIN_WAIT2 it is acknowledged at once. Call AckAtOnce after
// ReadToEOF: before everything has been read, the FIN included, it sends
// nothing (net/ipv4/tcp.c, tcp_cleanup_rbuf). It changes the acknowledgement's
// time and no more: an even TCP_QUICKACK has the kernel go back to pingpong
// mode once it has sent (net/ipv4/tcp.c, __tcp_sock_set_quickack).
func (c *Conn) AckAtOnce() error {
	const onceOnly = 2
	if err := c.socket.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, onceOnly)
	}); err != nil {
		return fmt.Errorf("set TCP_QUICKACK on the connection to %v: %w", c.Remote, err)
	}
	return nil
}
