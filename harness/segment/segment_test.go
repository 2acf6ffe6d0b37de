package segment

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	client4 = netip.MustParseAddrPort("192.0.2.1:40000")
	server4 = netip.MustParseAddrPort("192.0.2.2:80")
	client6 = netip.MustParseAddrPort("[2001:db8::1]:40000")
	server6 = netip.MustParseAddrPort("[2001:db8::2]:80")
)

// timestamps is the option block of an ordinary Linux segment.
var timestamps = []layers.TCPOption{
	{OptionType: layers.TCPOptionKindNop},
	{OptionType: layers.TCPOptionKindNop},
	{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 0, 7, 0, 0, 0, 9}},
}

// frame writes a segment as a network card would see it.
func frame(t testing.TB, src, dst netip.AddrPort, tcp *layers.TCP, payload int) []byte {
	t.Helper()
	ether := &layers.Ethernet{
		SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		EthernetType: layers.EthernetTypeIPv4,
	}
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	} = &layers.IPv4{
		Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice(),
	}
	if src.Addr().Is6() {
		ether.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{
			Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
			SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice(),
		}
	}
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, ether, ip, tcp, gopacket.Payload(make([]byte, payload))); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name     string
		src, dst netip.AddrPort
		tcp      layers.TCP
		payload  int
		want     Segment
	}{
		{
			name: "FIN over IPv4", src: client4, dst: server4,
			tcp:  layers.TCP{Seq: 4416, Ack: 753, FIN: true, ACK: true, Window: 502, Options: timestamps},
			want: Segment{Seq: 4416, Ack: 753, Flags: FIN | ACK, Window: 502, Options: Options{TSVal: 7, TSEcr: 9, HasTimestamps: true}},
		},
		{
			name: "data over IPv6", src: client6, dst: server6,
			tcp:     layers.TCP{Seq: 1, Ack: 1, PSH: true, ACK: true},
			payload: 1428,
			want:    Segment{Seq: 1, Ack: 1, Flags: PSH | ACK, Length: 1428},
		},
		{
			name: "SYN with the options of Linux", src: client6, dst: server6,
			tcp: layers.TCP{SYN: true, Seq: 9, Options: []layers.TCPOption{
				{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 160}},
				{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
				timestamps[2],
				{OptionType: layers.TCPOptionKindNop},
				{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
			}},
			want: Segment{Seq: 9, Flags: SYN, Options: Options{
				MSS: 1440, WindowScale: 7, HasWindowScale: true, SACKPermitted: true,
				TSVal: 7, TSEcr: 9, HasTimestamps: true,
			}},
		},
		{
			name: "duplicate ACK with SACK", src: server4, dst: client4,
			tcp: layers.TCP{ACK: true, Seq: 5, Ack: 6, Options: []layers.TCPOption{
				{OptionType: layers.TCPOptionKindSACK, OptionLength: 10, OptionData: []byte{0, 0, 0, 8, 0, 0, 0, 12}},
			}},
			want: Segment{Seq: 5, Ack: 6, Flags: ACK, Options: Options{SACKBlocks: 1, SACK: [4]Block{{8, 12}}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := frame(t, c.src, c.dst, &c.tcp, c.payload)
			c.want.Src, c.want.Dst = c.src, c.dst
			headers := whole[:len(whole)-c.payload]
			for _, octets := range [][]byte{whole, headers} {
				got, err := NewDecoder().Decode(octets)
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("%d octets:\n got %+v\nwant %+v", len(octets), got, c.want)
				}
			}
			if _, err := NewDecoder().Decode(headers[:len(headers)-1]); err == nil {
				t.Error("a frame cut inside the TCP header was read")
			}
		})
	}
}

func TestDecodeSaysWhatIsNoSegment(t *testing.T) {
	whole := frame(t, client4, server4, &layers.TCP{ACK: true}, 0)
	udp := append([]byte(nil), whole...)
	udp[14+9] = 17
	fragment := append([]byte(nil), whole...)
	fragment[14+6] |= 0x20
	for name, octets := range map[string][]byte{"UDP": udp, "a fragment": fragment} {
		if _, err := NewDecoder().Decode(octets); !errors.Is(err, ErrNotTCP) {
			t.Errorf("%s: %v, want %v", name, err, ErrNotTCP)
		}
	}
}

func TestNotation(t *testing.T) {
	n := Numbering{Client: 1000, Server: 0xfffffff0, ClientPort: client4.Port()}
	for want, s := range map[string]Segment{
		"S 0:0(0)":                {Src: client4, Dst: server4, Seq: 1000, Flags: SYN},
		"S. 0:0(0) ack 1":         {Src: server4, Dst: client4, Seq: 0xfffffff0, Ack: 1001, Flags: SYN | ACK},
		"F. 4416:4416(0) ack 753": {Src: client4, Dst: server4, Seq: 5416, Ack: 737, Flags: FIN | ACK},
		"P. 17:117(100) ack 1":    {Src: server4, Dst: client4, Seq: 1, Ack: 1001, Flags: PSH | ACK, Length: 100},
		"R 753:753(0)":            {Src: server4, Dst: client4, Seq: 737, Flags: RST},
	} {
		if n.Absolute(n.Relative(s)) != s {
			t.Errorf("%v is not the same again", s)
		}
		if got := n.Relative(s).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSequenceArithmetic(t *testing.T) {
	fin := Segment{Seq: 0xffffffff, Flags: FIN | ACK, Length: 3}
	if got := fin.End(); got != 3 {
		t.Errorf("End() of 3 octets and a FIN at 2^32-1 is %d, want 3", got)
	}
	if !Before(0xffffffff, 0) || Before(0, 0xffffffff) || Before(5, 5) {
		t.Error("Before does not count modulo 2^32")
	}
	if ack := (Segment{Flags: ACK, Ack: 3}); !ack.Covers(3) || ack.Covers(4) {
		t.Error("Covers is off by one")
	}
	if (Segment{Flags: RST, Ack: 3}).Covers(3) {
		t.Error("a segment without ACK covers something")
	}
}

func TestSightingSurvivesARecord(t *testing.T) {
	octets := frame(t, client6, server6, &layers.TCP{Seq: 1, Ack: 2, FIN: true, ACK: true}, 0)
	decoded, err := NewDecoder().Decode(octets)
	if err != nil {
		t.Fatal(err)
	}
	in := Sighting{At: 3 * time.Millisecond, Sent: true, Segment: decoded, Frame: octets, FrameLength: len(octets)}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out Sighting
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if out.Segment != in.Segment || out.At != in.At || !out.Sent || out.FrameLength != in.FrameLength {
		t.Errorf("got %+v, want %+v", out, in)
	}
	if err := json.Unmarshal([]byte(`{"frame":"AAAA"}`), &out); err == nil {
		t.Error("a frame of three octets was taken for a segment")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(frame(f, client4, server4, &layers.TCP{FIN: true, ACK: true, Options: timestamps}, 10))
	f.Add(frame(f, client6, server6, &layers.TCP{SYN: true}, 0))
	f.Fuzz(func(t *testing.T, octets []byte) {
		decoder := NewDecoder()
		first, err := decoder.Decode(octets)
		if err != nil {
			return
		}
		if first.Length < 0 {
			t.Errorf("a segment of %d octets", first.Length)
		}
		if again, err := decoder.Decode(octets); err != nil || again != first {
			t.Errorf("read as %+v, then as %+v (%v)", first, again, err)
		}
	})
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	octets := frame(t, client4, server4, &layers.TCP{FIN: true, ACK: true, Options: timestamps}, 0)
	decoder := NewDecoder()
	if n := testing.AllocsPerRun(100, func() { _, _ = decoder.Decode(octets) }); n != 0 {
		t.Errorf("Decode allocates %v times", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	octets := frame(b, client4, server4, &layers.TCP{FIN: true, ACK: true, Options: timestamps}, 0)
	decoder := NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Decode(octets); err != nil {
			b.Fatal(err)
		}
	}
}
