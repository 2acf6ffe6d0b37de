package observe

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// A State is a TCP state as the kernel writes it (include/net/tcp_states.h).
type State string

// Closed is the state of a connection that the kernel no longer knows.
const Closed State = "CLOSE"

// states are in the order of the kernel's numbers, which begin at 1.
var states = []State{
	"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	Closed, "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
}

// StateOf asks sock_diag(7) for the state of the connection between two
// addresses, seen from host. It finds TIME_WAIT and FIN_WAIT2 mini-sockets,
// which no tracepoint and no BPF callback reports. A connection that is not
// there is Closed. A kernel without tcp_diag gives a *kernel.MissingCapability.
func StateOf(host *lab.Host, local, remote netip.AddrPort) (State, error) {
	family := uint8(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	sockets, err := lab.Dump(func() ([]*netlink.Socket, error) { return host.Netlink.SocketDiagTCP(family) })
	if err != nil {
		return "", fmt.Errorf("ask sock_diag of %s for the state of %v to %v: %w", host.Name, local, remote, lacking(err))
	}
	for _, s := range sockets {
		if address(s.ID.Source.To16(), s.ID.SourcePort) == flat(local) && address(s.ID.Destination.To16(), s.ID.DestinationPort) == flat(remote) {
			return nameOf(s.State)
		}
	}
	return Closed, nil
}

// lacking says what it means that sock_diag has nobody to hand a question about
// TCP to (net/ipv4/inet_diag.c, inet_diag_lock_handler).
func lacking(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return &kernel.MissingCapability{Name: "tcp_diag", Err: err}
	}
	return err
}

func nameOf(number uint8) (State, error) {
	if number < 1 || int(number) > len(states) {
		return "", fmt.Errorf("sock_diag reports state %d, which is none of TCP's", number)
	}
	return states[number-1], nil
}

func address(ip []byte, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return flat(netip.AddrPortFrom(addr, port))
}

// flat makes an IPv4 address and the same address mapped into IPv6 compare
// equal.
func flat(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
