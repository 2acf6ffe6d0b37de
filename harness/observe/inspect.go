package observe

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/sockdiag"
)

// A Socket is what sock_diag(7) says of one end of a connection to whoever does not
// hold it.
type Socket struct {
	Status
	// Cookie tells it from all other sockets (socket(7), SO_COOKIE). The kernel gives a
	// connection the one that was asked for while its handshake was under way
	// (net/ipv4/inet_connection_sock.c, inet_csk_clone_lock). 0 where there is no socket.
	Cookie uint64
	// ShutReading says that nothing more is read from it: its program has shut that down,
	// or the peer's FIN has (sk_shutdown).
	ShutReading bool
	// RTO is tcpi_rto; 0 of a mini-socket, and before the handshake is over.
	RTO time.Duration
}

// Inspect asks sock_diag(7) for what it knows of the connection between two addresses,
// seen from the host. One that is not there is Closed.
func (o *Observer) Inspect(local, remote netip.AddrPort) (Socket, error) {
	about := sockdiag.Of(local, remote)
	about.Extensions = 1 << (netlink.INET_DIAG_INFO - 1) // INET_DIAG_SHUTDOWN comes unasked
	s, err := o.inspect(about)
	if err != nil {
		return Socket{}, fmt.Errorf("ask sock_diag of %s about %v to %v: %w", o.host.Name, local, remote, err)
	}
	return s, nil
}

func (o *Observer) inspect(about sockdiag.Request) (Socket, error) {
	got, found, err := o.ask(about)
	if err != nil || !found {
		return Socket{Status: Status{State: Closed}}, err
	}
	status, err := statusOf(got)
	if err != nil {
		return Socket{}, err
	}
	const receiving = 1 // RCV_SHUTDOWN
	shut := got.Attributes[netlink.INET_DIAG_SHUTDOWN]
	return Socket{
		Status: status, Cookie: got.Cookie,
		ShutReading: len(shut) > 0 && shut[0]&receiving != 0,
		RTO:         rtoIn(got.Attributes[netlink.INET_DIAG_INFO]),
	}, nil
}

// rtoIn is the RTO in struct tcp_info, of which older kernels have less.
func rtoIn(octets []byte) time.Duration {
	var info unix.TCPInfo
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), octets)
	return time.Duration(info.Rto) * time.Microsecond
}
