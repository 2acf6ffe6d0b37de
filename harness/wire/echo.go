package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
)

// echoIdentifier and echoText are how a wire knows its own echo requests again.
const echoIdentifier = 0xf157

var echoText = []byte("finwait by hand")

// ask sends a side an echo request, as if its peer had, and returns its number. The reply
// is there when that is done, as a rule: taken in here, it costs no change of threads.
func (h *Hand) ask(side segment.Side) (number uint16, err error) {
	w := h.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	h.asked++
	octets, err := w.board.connection.echoRequest(side, h.asked)
	if err != nil {
		return 0, fmt.Errorf("write an echo request to the %v: %w", side, err)
	}
	if err := w.send(frame{from: side.Peer(), octets: octets, came: clock.Now()}); err != nil {
		return 0, err
	}
	return h.asked, w.drain(side)
}

// echoRequest writes the frame of one (RFC 792, RFC 4443 section 4.1).
func (c *connection) echoRequest(to segment.Side, number uint16) ([]byte, error) {
	from, host := c.sides[to.Peer()], c.sides[to]
	src, dst := from.address.Addr(), host.address.Addr()
	ether := &layers.Ethernet{SrcMAC: from.mac, DstMAC: host.mac, EthernetType: layers.EthernetTypeIPv4}
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
			return nil, err
		}
		headers = []gopacket.SerializableLayer{ether, ip, icmp, &layers.ICMPv6Echo{Identifier: echoIdentifier, SeqNumber: number}}
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, append(headers, gopacket.Payload(echoText))...); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// echoReply tells the replies to a wire's own requests from everything else. They
// come back without IP options.
func echoReply(octets []byte) (number uint16, ours bool) {
	const ethernet, ip4, ip6, icmp = 14, 20, 40, 8 // octets of header
	if len(octets) < ethernet+ip4+icmp+len(echoText) {
		return 0, false
	}
	begin, protocol, reply := ethernet+ip4, octets[ethernet+9], byte(layers.ICMPv4TypeEchoReply)
	want := byte(layers.IPProtocolICMPv4)
	if binary.BigEndian.Uint16(octets[12:]) == unix.ETH_P_IPV6 {
		begin, protocol, reply = ethernet+ip6, octets[ethernet+6], layers.ICMPv6TypeEchoReply
		want = byte(layers.IPProtocolICMPv6)
	}
	if protocol != want || len(octets) < begin+icmp+len(echoText) {
		return 0, false
	}
	message := octets[begin:]
	if message[0] != reply || binary.BigEndian.Uint16(message[4:]) != echoIdentifier || !bytes.HasPrefix(message[icmp:], echoText) {
		return 0, false
	}
	return binary.BigEndian.Uint16(message[6:]), true
}
