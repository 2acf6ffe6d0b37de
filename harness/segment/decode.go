package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// ErrNotTCP is returned for a frame that holds something else, or a fragment.
var ErrNotTCP = errors.New("no TCP segment in the frame")

// A Decoder reads segments out of Ethernet frames without allocating. It is
// not safe for use by several goroutines.
type Decoder struct {
	parser *gopacket.DecodingLayerParser
	found  []gopacket.LayerType
	ether  layers.Ethernet
	ip4    layers.IPv4
	ip6    layers.IPv6
	tcp    layers.TCP
	rest   gopacket.Payload
}

// NewDecoder returns a decoder for Ethernet frames that carry IPv4 or IPv6.
func NewDecoder() *Decoder {
	d := &Decoder{found: make([]gopacket.LayerType, 0, 4)}
	d.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet,
		&d.ether, &d.ip4, &d.ip6, &d.tcp, &d.rest)
	d.parser.IgnoreUnsupported = true
	return d
}

// Decode reads the segment in a frame, which may have been cut short anywhere
// behind the TCP header. A frame without a TCP segment is ErrNotTCP; one whose
// headers contradict themselves or are incomplete is an error that says so.
func (d *Decoder) Decode(frame []byte) (Segment, error) {
	if err := d.parser.DecodeLayers(frame, &d.found); err != nil {
		return Segment{}, fmt.Errorf("read a frame of %d octets: %w", len(frame), err)
	}
	var (
		src, dst netip.Addr
		segment  int // octets of TCP header and payload, as IP tells it
		isTCP    bool
	)
	for _, layer := range d.found {
		switch layer {
		case layers.LayerTypeIPv4:
			if d.ip4.FragOffset != 0 || d.ip4.Flags&layers.IPv4MoreFragments != 0 {
				return Segment{}, ErrNotTCP
			}
			src, _ = netip.AddrFromSlice(d.ip4.SrcIP)
			dst, _ = netip.AddrFromSlice(d.ip4.DstIP)
			segment = int(d.ip4.Length) - 4*int(d.ip4.IHL)
		case layers.LayerTypeIPv6:
			src, _ = netip.AddrFromSlice(d.ip6.SrcIP)
			dst, _ = netip.AddrFromSlice(d.ip6.DstIP)
			segment = int(d.ip6.Length)
		case layers.LayerTypeTCP:
			isTCP = true
		}
	}
	if !isTCP || !src.IsValid() {
		return Segment{}, ErrNotTCP
	}
	length := segment - 4*int(d.tcp.DataOffset)
	if length < 0 {
		return Segment{}, fmt.Errorf("read a frame of %d octets: IP has %d octets for a TCP header of %d",
			len(frame), segment, 4*int(d.tcp.DataOffset))
	}
	options, err := d.options()
	if err != nil {
		return Segment{}, fmt.Errorf("read a frame of %d octets: %w", len(frame), err)
	}
	return Segment{
		Src:     netip.AddrPortFrom(src, uint16(d.tcp.SrcPort)),
		Dst:     netip.AddrPortFrom(dst, uint16(d.tcp.DstPort)),
		Seq:     d.tcp.Seq,
		Ack:     d.tcp.Ack,
		Flags:   d.flags(),
		Window:  d.tcp.Window,
		Length:  length,
		Options: options,
	}, nil
}

// flags takes the control bits from the header itself: its 13th octet has the
// bits above the eighth, of which gopacket knows AE by its older name only.
func (d *Decoder) flags() Flags {
	return Flags(binary.BigEndian.Uint16(d.tcp.Contents[12:14]) & 0x1ff)
}

func (d *Decoder) options() (Options, error) {
	var out Options
	for _, option := range d.tcp.Options {
		data := option.OptionData
		switch option.OptionType {
		case layers.TCPOptionKindMSS:
			if len(data) != 2 {
				return Options{}, lengthError("MSS", data)
			}
			out.MSS = binary.BigEndian.Uint16(data)
		case layers.TCPOptionKindWindowScale:
			if len(data) != 1 {
				return Options{}, lengthError("window scale", data)
			}
			out.WindowScale, out.HasWindowScale = data[0], true
		case layers.TCPOptionKindSACKPermitted:
			out.SACKPermitted = true
		case layers.TCPOptionKindSACK:
			if len(data)%8 != 0 || len(data) > 8*len(out.SACK) {
				return Options{}, lengthError("SACK", data)
			}
			for i := range len(data) / 8 {
				out.SACK[i] = Block{
					Left:  binary.BigEndian.Uint32(data[8*i:]),
					Right: binary.BigEndian.Uint32(data[8*i+4:]),
				}
				out.SACKBlocks++
			}
		case layers.TCPOptionKindTimestamps:
			if len(data) != 8 {
				return Options{}, lengthError("timestamps", data)
			}
			out.TSVal, out.TSEcr = binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
			out.HasTimestamps = true
		}
	}
	return out, nil
}

func lengthError(option string, data []byte) error {
	return fmt.Errorf("TCP option %s has %d octets of data", option, len(data))
}
