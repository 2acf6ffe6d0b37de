package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

// connection is the question after one TCP connection, struct inet_diag_req_v2
// of include/uapi/linux/inet_diag.h. It makes the kernel look the connection up
// as it would for a segment (net/ipv4/inet_diag.c, inet_diag_find_one_icsk);
// a dump goes through all buckets of the machine's table instead.
type connection struct {
	local, remote netip.AddrPort
	cookie        cookie
	more          uint8 // idiag_ext: which attributes the answer is to have
}

// A cookie is what the kernel tells a socket by from all others that it has or had
// (net/core/sock_diag.c, sock_diag_check_cookie). None is 0.
type cookie uint64

const anyCookie cookie = 1<<64 - 1 // INET_DIAG_NOCOOKIE, twice

const (
	sizeOfRequest = 56 // of struct inet_diag_req_v2
	sizeOfAnswer  = 72 // of struct inet_diag_msg
	anyState      = 0xffffffff
)

// Len is the length of the question in octets.
func (connection) Len() int { return sizeOfRequest }

// Serialize writes the question as the kernel reads it.
func (c connection) Serialize() []byte {
	octets := make([]byte, 0, sizeOfRequest)
	octets = append(octets, family(c.local), unix.IPPROTO_TCP, c.more, 0)
	octets = binary.NativeEndian.AppendUint32(octets, anyState)
	octets = binary.BigEndian.AppendUint16(octets, c.local.Port())
	octets = binary.BigEndian.AppendUint16(octets, c.remote.Port())
	for _, a := range []netip.Addr{c.local.Addr(), c.remote.Addr()} {
		address := [16]byte{} // an IPv4 address is in its first four
		copy(address[:], a.AsSlice())
		octets = append(octets, address[:]...)
	}
	octets = binary.NativeEndian.AppendUint32(octets, 0) // any interface
	octets = binary.NativeEndian.AppendUint32(octets, uint32(c.cookie))
	return binary.NativeEndian.AppendUint32(octets, uint32(c.cookie>>32))
}

// An answer is what struct inet_diag_msg says.
type answer struct {
	state, timer  uint8
	local, remote netip.AddrPort
	cookie        cookie
	expires       uint32 // of the timer, in milliseconds
	inode         uint32 // 0 where no program holds the socket
}

func readAnswer(octets []byte) (answer, error) {
	if len(octets) < sizeOfAnswer {
		return answer{}, fmt.Errorf("sock_diag answered with %d octets, fewer than the %d of struct inet_diag_msg", len(octets), sizeOfAnswer)
	}
	length := 4
	if octets[0] == unix.AF_INET6 {
		length = 16
	}
	end := func(port, address int) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(octets[address : address+length])
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(octets[port:]))
	}
	return answer{
		state: octets[1], timer: octets[2],
		local: end(4, 8), remote: end(6, 24),
		cookie: cookie(binary.NativeEndian.Uint32(octets[44:])) |
			cookie(binary.NativeEndian.Uint32(octets[48:]))<<32,
		expires: binary.NativeEndian.Uint32(octets[52:]),
		inode:   binary.NativeEndian.Uint32(octets[68:]),
	}, nil
}

// ask asks sock_diag(7) for one connection. There may be none, and then it is
// the kernel's own listener that answers, if there is one.
func (o *Observer) ask(c connection) (got answer, found bool, err error) {
	messages, err := o.request(nl.SOCK_DIAG_BY_FAMILY, 0, c)
	switch {
	case errors.Is(err, unix.ENOENT):
		return answer{}, false, nil
	case err != nil:
		return answer{}, false, err
	case len(messages) != 1:
		return answer{}, false, fmt.Errorf("sock_diag answered a question after one connection with %d messages", len(messages))
	}
	got, err = readAnswer(messages[0])
	return got, err == nil && flat(got.local) == flat(c.local) && flat(got.remote) == flat(c.remote), err
}

func (o *Observer) request(what, flags int, c connection) ([][]byte, error) {
	o.asking.Lock()
	defer o.asking.Unlock()
	request := nl.NewNetlinkRequest(what, flags)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_INET_DIAG: o.diag}
	request.AddData(c)
	return request.Execute(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY)
}

// Destroy ends what is left of a connection at once, mini-sockets included
// (SOCK_DESTROY; CONFIG_INET_DIAG_DESTROY). That there is nothing left is no
// error; a kernel that cannot destroy anything says so all the same, by
// unix.EOPNOTSUPP.
func (o *Observer) Destroy(local, remote netip.AddrPort) error {
	var err error
	// A mini-socket may have taken the socket's place since the kernel was asked
	// for its cookie. It has one of its own, and nothing takes its place.
	for range 2 {
		var left bool
		if left, err = o.destroy(connection{local: local, remote: remote, cookie: anyCookie}); !left {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("destroy the connection of %s from %v to %v: %w", o.host.Name, local, remote, err)
	}
	return nil
}

// destroy destroys the socket that is found to be the connection's: by its cookie,
// because by its addresses the kernel would find the listener where the connection
// is gone. left tells that there was one, which was not there any more.
func (o *Observer) destroy(c connection) (left bool, err error) {
	got, found, err := o.ask(c)
	if err != nil {
		return false, err
	}
	c.cookie = 0
	if found {
		c.cookie = got.cookie
	}
	_, err = o.request(nl.SOCK_DESTROY, unix.NLM_F_ACK, c)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESTALE) {
		return found, nil
	}
	return false, err
}

func family(a netip.AddrPort) uint8 {
	if a.Addr().Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// lacking says what it means that sock_diag has nobody to hand a question about
// TCP to (net/ipv4/inet_diag.c, inet_diag_lock_handler).
func lacking(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return &kernel.MissingCapability{Name: "tcp_diag", Err: err}
	}
	return err
}

// flat makes an IPv4 address and the same address mapped into IPv6 compare
// equal.
func flat(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
