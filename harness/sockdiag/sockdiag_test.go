package sockdiag

import (
	"encoding/binary"
	"net/netip"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// message is struct inet_diag_msg of an ESTABLISHED 192.0.2.2:80 to 192.0.2.1:40000.
func message(attributes ...*nl.RtAttr) []byte {
	octets := make([]byte, sizeOfMessage)
	octets[0], octets[1], octets[2] = unix.AF_INET, unix.BPF_TCP_ESTABLISHED, 2
	copy(octets[4:], []byte{0, 80, 156, 64})
	copy(octets[8:], []byte{192, 0, 2, 2})
	copy(octets[24:], []byte{192, 0, 2, 1})
	binary.NativeEndian.PutUint32(octets[44:], 7)
	binary.NativeEndian.PutUint32(octets[48:], 1)
	binary.NativeEndian.PutUint32(octets[52:], 200)
	binary.NativeEndian.PutUint32(octets[68:], 9)
	for _, a := range attributes {
		octets = append(octets, a.Serialize()...)
	}
	return octets
}

func TestRead(t *testing.T) {
	g := NewWithT(t)
	server, client := netip.MustParseAddrPort("192.0.2.2:80"), netip.MustParseAddrPort("192.0.2.1:40000")
	s, err := Read(message(nl.NewRtAttr(netlink.INET_DIAG_SHUTDOWN, []byte{3}), nl.NewRtAttr(netlink.INET_DIAG_SKV6ONLY, []byte{1})))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s).To(Equal(Socket{
		State: unix.BPF_TCP_ESTABLISHED, Timer: 2, Local: server, Remote: client, Cookie: 1<<32 | 7, Expires: 200, Inode: 9,
		Attributes: map[uint16][]byte{netlink.INET_DIAG_SHUTDOWN: {3}, netlink.INET_DIAG_SKV6ONLY: {1}},
	}))
	mapped := netip.AddrPortFrom(netip.AddrFrom16(client.Addr().As16()), client.Port())
	g.Expect(s.IsOf(server, mapped)).To(BeTrue())
	g.Expect(s.IsOf(client, server)).To(BeFalse())

	for cut := range message(nl.NewRtAttr(netlink.INET_DIAG_SHUTDOWN, []byte{3, 0, 0, 0})) {
		if cut == sizeOfMessage {
			continue // nothing behind it is no attribute
		}
		_, err := Read(message(nl.NewRtAttr(netlink.INET_DIAG_SHUTDOWN, []byte{3, 0, 0, 0}))[:cut])
		g.Expect(err).To(HaveOccurred(), "of %d octets", cut)
	}
}

// The question has the layout that the kernel's answer has: what was asked for is read back
// from where the answer has it.
func TestSerialize(t *testing.T) {
	g := NewWithT(t)
	r := Of(netip.MustParseAddrPort("[2001:db8::2]:80"), netip.MustParseAddrPort("[2001:db8::1]:40000"))
	r.Extensions = 1 << (netlink.INET_DIAG_INFO - 1)
	octets := r.Serialize()
	g.Expect(octets).To(HaveLen(r.Len()))
	g.Expect(octets[:8]).To(Equal([]byte{unix.AF_INET6, unix.IPPROTO_TCP, 2, 0, 0xff, 0xff, 0xff, 0xff}))
	const id = 8 - 4 // struct inet_diag_sockid begins at 8 in the question, and at 4 in the answer
	answer := append(append([]byte{unix.AF_INET6, 0, 0, 0}, octets[4+id:]...), make([]byte, sizeOfMessage)...)[:sizeOfMessage]
	s, err := Read(answer)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.IsOf(r.Local, r.Remote)).To(BeTrue())
	g.Expect(s.Cookie).To(Equal(r.Cookie))
}

func FuzzRead(f *testing.F) {
	f.Add(message())
	f.Add(message(nl.NewRtAttr(netlink.INET_DIAG_SHUTDOWN, []byte{3})))
	f.Add(message(nl.NewRtAttr(netlink.INET_DIAG_INFO, make([]byte, 300)))[:200])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, octets []byte) {
		if s, err := Read(octets); err == nil && !s.Local.IsValid() {
			t.Errorf("%x was read as %+v", octets, s)
		}
	})
}
