// Package sockdiag writes sock_diag(7)'s questions about TCP sockets and reads its
// answers, as include/uapi/linux/inet_diag.h of the kernel has them.
package sockdiag

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	sizeOfRequest   = 56 // of struct inet_diag_req_v2
	sizeOfMessage   = 72 // of struct inet_diag_msg
	sizeOfAttribute = 4  // of struct nlattr (netlink(7))
)

// AnyState asks for a socket whatever its state.
const AnyState = 0xffffffff

// AnyCookie asks for a socket whatever its cookie (INET_DIAG_NOCOOKIE, twice).
const AnyCookie = 1<<64 - 1

// A Request is a question, struct inet_diag_req_v2: after the socket of a connection, or,
// as a dump, after all that are in certain States. It is a netlink request's data.
type Request struct {
	Family uint8 // unix.AF_INET or unix.AF_INET6
	// States has a bit for each state that is asked for: 1<<unix.BPF_TCP_LISTEN.
	States uint32
	// Local and Remote are the connection's, and empty in a dump.
	Local, Remote netip.AddrPort
	// Cookie tells a socket from all others that the kernel has or had
	// (net/core/sock_diag.c, sock_diag_check_cookie). None has 0.
	Cookie uint64
	// Extensions are attributes that the answer is to have besides those that come
	// unasked: 1<<(netlink.INET_DIAG_INFO-1).
	Extensions uint8
}

// Of is the question after the socket of a connection. The kernel looks it up as it would
// for a segment (net/ipv4/inet_diag.c, inet_diag_find_one_icsk); where there is none, it
// answers with the listener.
func Of(local, remote netip.AddrPort) Request {
	family := uint8(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	return Request{Family: family, States: AnyState, Local: local, Remote: remote, Cookie: AnyCookie}
}

// Len is the length of the question in octets.
func (Request) Len() int { return sizeOfRequest }

// Serialize writes the question as the kernel reads it.
func (r Request) Serialize() []byte {
	octets := make([]byte, 0, sizeOfRequest)
	octets = append(octets, r.Family, unix.IPPROTO_TCP, r.Extensions, 0)
	octets = binary.NativeEndian.AppendUint32(octets, r.States)
	octets = binary.BigEndian.AppendUint16(octets, r.Local.Port())
	octets = binary.BigEndian.AppendUint16(octets, r.Remote.Port())
	for _, a := range []netip.Addr{r.Local.Addr(), r.Remote.Addr()} {
		address := [16]byte{} // an IPv4 address is in its first four
		copy(address[:], a.AsSlice())
		octets = append(octets, address[:]...)
	}
	octets = binary.NativeEndian.AppendUint32(octets, 0) // any interface
	octets = binary.NativeEndian.AppendUint32(octets, uint32(r.Cookie))
	return binary.NativeEndian.AppendUint32(octets, uint32(r.Cookie>>32))
}

// A Socket is an answer, struct inet_diag_msg.
type Socket struct {
	State, Timer  uint8
	Local, Remote netip.AddrPort
	Cookie        uint64
	Expires       uint32 // in how many milliseconds the Timer fires
	Inode         uint32 // 0 where no program holds the socket
	// Attributes are what came behind, by their numbers: netlink.INET_DIAG_INFO.
	Attributes map[uint16][]byte
}

// IsOf reports whether a socket is that of a connection, and not the listener that it
// came by. An IPv4 address is the same mapped into IPv6.
func (s Socket) IsOf(local, remote netip.AddrPort) bool {
	return flat(s.Local) == flat(local) && flat(s.Remote) == flat(remote)
}

func flat(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Read reads an answer. One that is cut short is an error.
func Read(message []byte) (Socket, error) {
	if len(message) < sizeOfMessage {
		return Socket{}, fmt.Errorf("sock_diag answered with %d octets, fewer than the %d of struct inet_diag_msg", len(message), sizeOfMessage)
	}
	length := 4
	if message[0] == unix.AF_INET6 {
		length = 16
	}
	end := func(port, address int) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(message[address : address+length])
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(message[port:]))
	}
	attributes, err := readAttributes(message[sizeOfMessage:])
	return Socket{
		State: message[1], Timer: message[2],
		Local: end(4, 8), Remote: end(6, 24),
		Cookie: uint64(binary.NativeEndian.Uint32(message[44:])) |
			uint64(binary.NativeEndian.Uint32(message[48:]))<<32,
		Expires:    binary.NativeEndian.Uint32(message[52:]),
		Inode:      binary.NativeEndian.Uint32(message[68:]),
		Attributes: attributes,
	}, err
}

func readAttributes(rest []byte) (map[uint16][]byte, error) {
	attributes := map[uint16][]byte{}
	for len(rest) > 0 {
		length := 0
		if len(rest) >= sizeOfAttribute {
			length = int(binary.NativeEndian.Uint16(rest))
		}
		if length < sizeOfAttribute || length > len(rest) {
			return nil, fmt.Errorf("sock_diag answered with an attribute of %d octets, and %d are left", length, len(rest))
		}
		attributes[binary.NativeEndian.Uint16(rest[2:])] = rest[sizeOfAttribute:length]
		const aligned = unix.NLA_ALIGNTO - 1
		rest = rest[min(len(rest), (length+aligned)&^aligned):]
	}
	return attributes, nil
}
