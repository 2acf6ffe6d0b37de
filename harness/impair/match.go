package impair

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func protocol(addr netip.Addr) uint16 {
	if addr.Is6() {
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// matchFIN selects segments with FIN from one address and port to another. A
// u32 key compares 32 bits of the packet, counted from the IP header, under a
// mask. IP options and extension headers are not looked behind: the kernel's
// TCP sends none unless a program asks for them.
func matchFIN(from, to netip.AddrPort) *netlink.TcU32Sel {
	const finFlag = 0x00010000 // in the fourth word of the TCP header, RFC 9293 section 3.1
	var keys []netlink.TcU32Key
	var header int32
	if from.Addr().Is6() { // RFC 8200 section 3
		header = 40
		keys = append(keys, netlink.TcU32Key{Off: 4, Mask: 0x0000ff00, Val: unix.IPPROTO_TCP << 8})
		keys = append(keys, matchWords(8, from.Addr())...)
		keys = append(keys, matchWords(24, to.Addr())...)
	} else { // RFC 791 section 3.1
		header = 20
		keys = append(keys, netlink.TcU32Key{Off: 8, Mask: 0x00ff0000, Val: unix.IPPROTO_TCP << 16})
		keys = append(keys, matchWords(12, from.Addr())...)
		keys = append(keys, matchWords(16, to.Addr())...)
	}
	keys = append(keys,
		netlink.TcU32Key{Off: header, Mask: 0xffffffff, Val: uint32(from.Port())<<16 | uint32(to.Port())},
		netlink.TcU32Key{Off: header + 12, Mask: finFlag, Val: finFlag},
	)
	return &netlink.TcU32Sel{Flags: netlink.TC_U32_TERMINAL, Nkeys: uint8(len(keys)), Keys: keys}
}

// matchWords compares an address word by word from an offset on.
func matchWords(offset int32, addr netip.Addr) []netlink.TcU32Key {
	octets := addr.AsSlice()
	keys := make([]netlink.TcU32Key, 0, len(octets)/4)
	for i := 0; i < len(octets); i += 4 {
		keys = append(keys, netlink.TcU32Key{
			Off: offset + int32(i), Mask: 0xffffffff, Val: binary.BigEndian.Uint32(octets[i:]),
		})
	}
	return keys
}
