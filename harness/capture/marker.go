package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

const (
	// markerType is IEEE 802's local experimental EtherType 1: no protocol stack
	// has a handler for it.
	markerType = 0x88b5
	// markerProtocol is one of the two that IP has for experiments (RFC 3692
	// section 2.1).
	markerProtocol = 253
)

var markerText = []byte("finwait marker")

// A marker sends frames that both taps recognise. A tap that has seen a marker is
// live, and has been given every frame that went by before: frames and marker pass
// the same hook and the same queue.
//
// Between neighbours it is a frame of an EtherType of its own, which no host has to
// have an address for. What has to be routed is an IP packet of a protocol of its
// own, from the one address to the other: it goes where the segments go, and no
// filter that looks for TCP finds it.
type marker struct {
	file   *os.File
	end    *lab.End
	peer   *lab.End
	begin  []byte // what the socket wants before the text
	number uint64
}

func openMarker(end, peer *lab.End) (*marker, error) {
	m := &marker{end: end, peer: peer}
	open := m.openIP
	if neighbours(end, peer) {
		open = m.openEthernet
	}
	fd, err := open()
	if err != nil {
		return nil, fmt.Errorf("open a socket for markers on %s of %s: %w", end.Name, end.Host.Name, err)
	}
	m.file = os.NewFile(uintptr(fd), "marker")
	return m, nil
}

// neighbours reports whether frames come from one end to the other as they are:
// whether the ends are of one subnet. Ends without addresses cannot be anything
// else.
func neighbours(a, b *lab.End) bool {
	return len(a.Addresses) == 0 || len(b.Addresses) == 0 || a.Addresses[0].Masked() == b.Addresses[0].Masked()
}

// openEthernet opens a packet socket. A tap does not see what its own socket
// sends, so the marker has one of its own; protocol 0 keeps it from receiving.
func (m *marker) openEthernet() (int, error) {
	m.begin = append(m.begin, m.peer.MAC...)
	m.begin = append(m.begin, m.end.MAC...)
	m.begin = binary.BigEndian.AppendUint16(m.begin, markerType)
	return m.end.PacketSocket(0)
}

// openIP opens a raw socket. It has to be there at the other end as well: a host
// answers a protocol that no socket of its takes with an ICMP error
// (net/ipv4/ip_input.c, ip_protocol_deliver_rcu; net/ipv6/ip6_input.c,
// ip6_protocol_deliver_rcu). What it takes it drops, since newer kernels answer for
// a socket that is full, too (net/ipv4/raw.c, raw_v4_input).
func (m *marker) openIP() (int, error) {
	from, to := m.end.Addresses[0].Addr(), m.peer.Addresses[0].Addr()
	family, local, remote := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: from.As16()}), unix.Sockaddr(&unix.SockaddrInet6{Addr: to.As16()})
	if from.Is4() {
		family, local, remote = unix.AF_INET, &unix.SockaddrInet4{Addr: from.As4()}, &unix.SockaddrInet4{Addr: to.As4()}
	}
	fd := -1
	if err := m.end.Host.Do(func() (err error) {
		fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, markerProtocol)
		return err
	}); err != nil {
		return -1, fmt.Errorf("socket(SOCK_RAW): %w", err)
	}
	fail := func(what string, err error) (int, error) {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", what, err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing}); err != nil {
		return fail("drop what comes", err)
	}
	if err := unix.Bind(fd, local); err != nil {
		return fail("bind to "+from.String(), err)
	}
	if err := unix.Connect(fd, remote); err != nil {
		return fail("connect to "+to.String(), err)
	}
	return fd, nil
}

// send sends the next marker and returns its number, the first is 1.
func (m *marker) send() (number uint64, err error) {
	m.number++
	octets := make([]byte, 0, 60) // the least that Ethernet carries
	octets = append(octets, m.begin...)
	octets = append(octets, markerText...)
	octets = binary.BigEndian.AppendUint64(octets, m.number)
	// The socket is bound or connected: it knows where to.
	if _, err := m.file.Write(octets[:cap(octets)]); err != nil {
		return 0, fmt.Errorf("send a marker from %s of %s: %w", m.end.Name, m.end.Host.Name, err)
	}
	return m.number, nil
}

func (m *marker) close() { m.file.Close() }

// markerNumber tells markers from everything else; on its way through a router,
// all but text and number may change.
func markerNumber(octets []byte) (number uint64, ok bool) {
	text, ok := bytes.CutPrefix(markerPayload(octets), markerText)
	if !ok || len(text) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(text), true
}

// markerPayload is what a frame that may be a marker carries.
func markerPayload(octets []byte) []byte {
	const ethernet, ip4, ip6 = 14, 20, 40 // octets of header
	if len(octets) < ethernet+ip6 {       // a marker is longer
		return nil
	}
	carried := octets[ethernet:]
	switch binary.BigEndian.Uint16(octets[12:]) {
	case markerType:
		return carried
	case unix.ETH_P_IP:
		if carried[0] == 0x45 && carried[9] == markerProtocol { // no IP options
			return carried[ip4:]
		}
	case unix.ETH_P_IPV6:
		if carried[6] == markerProtocol {
			return carried[ip6:]
		}
	}
	return nil
}
