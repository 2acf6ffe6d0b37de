package packetdrill

import (
	"fmt"
	"math"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/finwait/finwait/harness/segment"
)

// firstTimestamp is what each end's timestamps count from, as those written by hand do;
// 0 would look like the echo of none.
const firstTimestamp = 100

// A notation writes the segments of one tap, in their order.
type notation struct {
	segment.Numbering
	side segment.Side
	// origin is what is taken off each end's timestamps: own, then the peer's.
	origin map[bool]uint32
	// given are the timestamps that the end under test has sent.
	given map[uint32]bool
}

// packet is a segment as a script has it.
func (n *notation) packet(seen segment.Sighting) (string, error) {
	relative := n.Relative(seen.Segment)
	if relative.Length < 0 || int64(relative.Seq)+int64(relative.Length) > math.MaxUint32 {
		return "", fmt.Errorf("its numbers are not those of a connection: %v", relative)
	}
	options, err := n.options(seen, relative)
	if err != nil {
		return "", err
	}
	direction, window := "<", fmt.Sprintf(" win %d", seen.Window)
	if seen.Sent {
		// What a kernel offers depends on its memory: the peer's windows, not its own,
		// are what the order of segments rests on.
		direction, window = ">", ""
	}
	return fmt.Sprintf("%s %v%s%s", direction, relative, window, options), nil
}

// options are a segment's TCP options in their order, which packetdrill holds the
// kernel to.
func (n *notation) options(seen segment.Sighting, relative segment.Segment) (string, error) {
	found, err := optionsIn(seen.Frame)
	if err != nil || len(found) == 0 {
		return "", err
	}
	var out []string
	for _, o := range found {
		switch o.OptionType {
		case layers.TCPOptionKindNop:
			out = append(out, "nop")
		case layers.TCPOptionKindMSS:
			out = append(out, fmt.Sprintf("mss %d", relative.Options.MSS))
		case layers.TCPOptionKindWindowScale:
			out = append(out, fmt.Sprintf("wscale %d", relative.Options.WindowScale))
		case layers.TCPOptionKindSACKPermitted:
			out = append(out, "sackOK")
		case layers.TCPOptionKindSACK:
			blocks := "sack"
			for _, b := range relative.Options.SACK[:relative.Options.SACKBlocks] {
				blocks += fmt.Sprintf(" %d:%d", b.Left, b.Right)
			}
			out = append(out, blocks)
		case layers.TCPOptionKindTimestamps:
			value, echo, err := n.timestamps(seen)
			if err != nil {
				return "", err
			}
			out = append(out, fmt.Sprintf("TS val %d ecr %d", value, echo))
		default:
			return "", fmt.Errorf("it has TCP option %d, which has no place in a teardown", o.OptionType)
		}
	}
	return " <" + strings.Join(out, ",") + ">", nil
}

// timestamps are a segment's value and echo. packetdrill echoes what the live kernel
// had in the place of a value, so there has to have been one.
func (n *notation) timestamps(seen segment.Sighting) (value, echo uint32, err error) {
	value, echo = seen.Options.TSVal, seen.Options.TSEcr
	origin, known := n.origin[seen.Sent]
	if !known {
		origin = value - firstTimestamp
		n.origin[seen.Sent] = origin
	}
	value -= origin
	if echo != 0 || seen.Flags.Has(segment.ACK) {
		echo -= n.origin[!seen.Sent]
	}
	switch {
	case seen.Sent:
		n.given[value] = true
	case seen.Flags.Has(segment.ACK) && !n.given[echo]:
		return 0, 0, fmt.Errorf("it echoes a timestamp that the %v had not sent, and packetdrill does not", n.side)
	}
	return value, echo, nil
}

// optionsIn are the TCP options in a frame. A frame of a tap holds its headers whole.
func optionsIn(frame []byte) ([]layers.TCPOption, error) {
	var (
		ether layers.Ethernet
		ip4   layers.IPv4
		ip6   layers.IPv6
		tcp   layers.TCP
		rest  gopacket.Payload
		found []gopacket.LayerType
	)
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &ether, &ip4, &ip6, &tcp, &rest)
	parser.IgnoreUnsupported = true
	if err := parser.DecodeLayers(frame, &found); err != nil {
		return nil, fmt.Errorf("read its frame: %w", err)
	}
	return tcp.Options, nil
}
