package lab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PacketSocket opens a non-blocking packet socket (packet(7)) at the end, for whole
// frames of a protocol, such as unix.ETH_P_IP; 0 receives nothing, and only one for
// unix.ETH_P_ALL is given what the end sends (net/core/dev.c, dev_queue_xmit_nit).
// The descriptor is the caller's.
func (e *End) PacketSocket(protocol uint16) (fd int, err error) {
	return e.packetSocket(protocol, func(int) error { return nil })
}

// Tap opens a PacketSocket for all protocols, whose frames come with the time at
// which they passed (clock.Stamp), and which keeps so many octets of them for a
// reader that is late. Without CAP_NET_ADMIN over the machine they are no more than
// net.core.rmem_max allows.
func (e *End) Tap(buffer int) (fd int, err error) {
	return e.packetSocket(unix.ETH_P_ALL, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
				return fmt.Errorf("enlarge the receive buffer: %w", err)
			}
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return fmt.Errorf("ask for time stamps: %w", err)
		}
		return nil
	})
}

// packetSocket configures the socket before bind(2) has anything come in.
func (e *End) packetSocket(protocol uint16, configure func(fd int) error) (fd int, err error) {
	if err := e.Host.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		return -1, fmt.Errorf("socket(AF_PACKET): %w", err)
	}
	if err := configure(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	inNetworkOrder := protocol<<8 | protocol>>8
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: inNetworkOrder, Ifindex: e.Index}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind to interface %d: %w", e.Index, err)
	}
	return fd, nil
}
