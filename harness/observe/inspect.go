package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
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
	const info = 1 << (netlink.INET_DIAG_INFO - 1) // INET_DIAG_SHUTDOWN comes unasked
	s, err := o.inspect(connection{local, remote, anyCookie, info})
	if err != nil {
		return Socket{}, fmt.Errorf("ask sock_diag of %s about %v to %v: %w", o.host.Name, local, remote, err)
	}
	return s, nil
}

func (o *Observer) inspect(c connection) (Socket, error) {
	messages, err := o.request(nl.SOCK_DIAG_BY_FAMILY, 0, c)
	switch {
	case errors.Is(err, unix.ENOENT):
		return Socket{Status: Status{State: Closed}}, nil
	case err != nil:
		return Socket{}, err
	case len(messages) != 1:
		return Socket{}, fmt.Errorf("it answered with %d messages", len(messages))
	}
	return readSocket(messages[0], c)
}

// readSocket reads an answer, which may be about the host's listener instead of the
// connection.
func readSocket(message []byte, c connection) (Socket, error) {
	got, err := readAnswer(message)
	if err != nil {
		return Socket{}, err
	}
	if flat(got.local) != flat(c.local) || flat(got.remote) != flat(c.remote) {
		return Socket{Status: Status{State: Closed}}, nil
	}
	s := Socket{Cookie: uint64(got.cookie)}
	if s.Status, err = got.status(); err != nil {
		return Socket{}, err
	}
	for rest := message[sizeOfAnswer:]; len(rest) > 0; {
		length := 0
		if len(rest) >= sizeOfAttribute {
			length = int(binary.NativeEndian.Uint16(rest))
		}
		if length < sizeOfAttribute || length > len(rest) {
			return Socket{}, fmt.Errorf("it answered with an attribute of %d octets, and %d are left", length, len(rest))
		}
		s.read(int(binary.NativeEndian.Uint16(rest[2:])), rest[sizeOfAttribute:length])
		const aligned = unix.NLA_ALIGNTO - 1
		rest = rest[min(len(rest), (length+aligned)&^aligned):]
	}
	return s, nil
}

const sizeOfAttribute = 4 // of struct nlattr (netlink(7))

// read takes in an attribute. What a kernel leaves out of it stays 0.
func (s *Socket) read(attribute int, value []byte) {
	switch attribute {
	case netlink.INET_DIAG_SHUTDOWN:
		const receiving = 1 // RCV_SHUTDOWN
		s.ShutReading = len(value) > 0 && value[0]&receiving != 0
	case netlink.INET_DIAG_INFO:
		var info unix.TCPInfo
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), value)
		s.RTO = time.Duration(info.Rto) * time.Microsecond
	}
}
