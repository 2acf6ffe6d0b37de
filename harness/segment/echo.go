package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// echoIdentifier and echoText are how echo requests of ours are known again.
const echoIdentifier = 0xf157

var echoText = []byte("finwait by hand")

// EchoRequest writes an ICMP echo request as an Ethernet frame from one hardware
// address to another (RFC 792, RFC 4443 section 4.1). A host's kernel answers it by
// itself, after the segments that came before.
func EchoRequest(src, dst netip.Addr, from, to []byte, number uint16) ([]byte, error) {
	ether := &layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: layers.EthernetTypeIPv4}
	var headers []gopacket.SerializableLayer
	if src.Is4() {
		headers = []gopacket.SerializableLayer{
			ether,
			&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()},
			&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: echoIdentifier, Seq: number},
		}
	} else {
		ether.EthernetType = layers.EthernetTypeIPv6
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolICMPv6, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeEchoRequest, 0)}
		if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
			return nil, fmt.Errorf("write an echo request from %v to %v: %w", src, dst, err)
		}
		headers = []gopacket.SerializableLayer{ether, ip, icmp, &layers.ICMPv6Echo{Identifier: echoIdentifier, SeqNumber: number}}
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, append(headers, gopacket.Payload(echoText))...); err != nil {
		return nil, fmt.Errorf("write an echo request from %v to %v: %w", src, dst, err)
	}
	return buffer.Bytes(), nil
}

// EchoReply tells the replies to requests of ours from everything else. They come
// back without IP options.
func EchoReply(frame []byte) (number uint16, ours bool) {
	const (
		ethernet, ip4, ip6, icmp = 14, 20, 40, 8 // octets of header
		typeIPv6                 = uint16(layers.EthernetTypeIPv6)
	)
	if len(frame) < ethernet+ip4+icmp+len(echoText) {
		return 0, false
	}
	begin, protocol, reply := ethernet+ip4, frame[ethernet+9], byte(layers.ICMPv4TypeEchoReply)
	want := byte(layers.IPProtocolICMPv4)
	if binary.BigEndian.Uint16(frame[12:]) == typeIPv6 {
		begin, protocol, reply = ethernet+ip6, frame[ethernet+6], layers.ICMPv6TypeEchoReply
		want = byte(layers.IPProtocolICMPv6)
	}
	if protocol != want || len(frame) < begin+icmp+len(echoText) {
		return 0, false
	}
	message := frame[begin:]
	if message[0] != reply || binary.BigEndian.Uint16(message[4:]) != echoIdentifier || !bytes.HasPrefix(message[icmp:], echoText) {
		return 0, false
	}
	return binary.BigEndian.Uint16(message[6:]), true
}
