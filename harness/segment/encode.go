package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

const (
	// maxTCPHeader is in octets: the data offset counts words of four in four
	// bits.
	maxTCPHeader = 60
	// largestPayload is what an IP packet has room for behind the longest
	// header of TCP.
	largestPayload = 65535 - 20 - maxTCPHeader
)

// Encode writes the segment as an Ethernet frame from one hardware address to
// another, six octets each, with right checksums. Length zeros are its payload.
// Of the options those that are set are written, in Linux's order. A segment
// that no frame can hold is an error; every other is what Decode reads from its
// frame.
func (s Segment) Encode(from, to []byte) ([]byte, error) {
	fail := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("write %v from %v to %v: %w", s, s.Src, s.Dst, fmt.Errorf(format, args...))
	}
	src, dst := s.Src.Addr(), s.Dst.Addr()
	switch {
	case !src.IsValid() || src.BitLen() != dst.BitLen() || src.Zone()+dst.Zone() != "":
		return fail("the addresses must be two of IPv4, or two of IPv6 without zones")
	case s.Flags >= AE<<1:
		return fail("flags %#x are more than the control bits", uint16(s.Flags))
	case s.Length < 0 || s.Length > largestPayload:
		return fail("a payload of %d octets: it can have 0 to %d", s.Length, largestPayload)
	case int(s.Options.SACKBlocks) > len(s.Options.SACK):
		return fail("%d SACK blocks: it can have %d", s.Options.SACKBlocks, len(s.Options.SACK))
	}
	tcp := s.header()
	ether := &layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: layers.EthernetTypeIPv4}
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	}
	if src.Is4() {
		ip = &layers.IPv4{
			Version: 4, TTL: 64, Flags: layers.IPv4DontFragment, Protocol: layers.IPProtocolTCP,
			SrcIP: src.AsSlice(), DstIP: dst.AsSlice(),
		}
	} else {
		ether.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{
			Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
			SrcIP: src.AsSlice(), DstIP: dst.AsSlice(),
		}
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		return fail("%w", err)
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		ether, ip, tcp, gopacket.Payload(make([]byte, s.Length))); err != nil {
		return fail("%w", err)
	}
	if header := 4 * int(tcp.DataOffset); header > maxTCPHeader {
		return fail("its options need a header of %d octets: it can have %d", header, maxTCPHeader)
	}
	return buffer.Bytes(), nil
}

func (s Segment) header() *layers.TCP {
	return &layers.TCP{
		SrcPort: layers.TCPPort(s.Src.Port()),
		DstPort: layers.TCPPort(s.Dst.Port()),
		Seq:     s.Seq,
		Ack:     s.Ack,
		Window:  s.Window,
		FIN:     s.Flags.Has(FIN),
		SYN:     s.Flags.Has(SYN),
		RST:     s.Flags.Has(RST),
		PSH:     s.Flags.Has(PSH),
		ACK:     s.Flags.Has(ACK),
		URG:     s.Flags.Has(URG),
		ECE:     s.Flags.Has(ECE),
		CWR:     s.Flags.Has(CWR),
		NS:      s.Flags.Has(AE),
		Options: s.Options.list(),
	}
}

// list puts the options in Linux's order and aligns them as Linux does
// (net/ipv4/tcp_output.c, tcp_options_write).
func (o Options) list() []layers.TCPOption {
	var out []layers.TCPOption
	add := func(kind layers.TCPOptionKind, data []byte) {
		out = append(out, layers.TCPOption{OptionType: kind, OptionData: data})
	}
	pad := func(nops int) {
		for range nops {
			add(layers.TCPOptionKindNop, nil)
		}
	}
	if o.MSS != 0 {
		add(layers.TCPOptionKindMSS, binary.BigEndian.AppendUint16(nil, o.MSS))
	}
	if o.SACKPermitted {
		if !o.HasTimestamps {
			pad(2)
		}
		add(layers.TCPOptionKindSACKPermitted, nil)
	}
	if o.HasTimestamps {
		if !o.SACKPermitted {
			pad(2)
		}
		data := binary.BigEndian.AppendUint32(nil, o.TSVal)
		add(layers.TCPOptionKindTimestamps, binary.BigEndian.AppendUint32(data, o.TSEcr))
	}
	if o.HasWindowScale {
		pad(1)
		add(layers.TCPOptionKindWindowScale, []byte{o.WindowScale})
	}
	if o.SACKBlocks > 0 {
		var data []byte
		for _, block := range o.SACK[:o.SACKBlocks] {
			data = binary.BigEndian.AppendUint32(data, block.Left)
			data = binary.BigEndian.AppendUint32(data, block.Right)
		}
		pad(2)
		add(layers.TCPOptionKindSACK, data)
	}
	return out
}
