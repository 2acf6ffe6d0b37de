package segment

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

var (
	clientMAC = []byte{2, 0, 0, 0, 0, 1}
	serverMAC = []byte{2, 0, 0, 0, 0, 2}
)

func TestEncodeIsWhatDecodeReads(t *testing.T) {
	clocked := Options{TSVal: 7, TSEcr: 9, HasTimestamps: true}
	sacked := clocked
	sacked.SACKBlocks, sacked.SACK = 3, [4]Block{{8, 12}, {20, 21}, {30, 0}}
	for name, s := range map[string]Segment{
		"FIN":                {Seq: 4416, Ack: 753, Flags: FIN | ACK, Window: 502, Options: clocked},
		"data of odd length": {Seq: 1, Ack: 1, Flags: PSH | ACK, Length: 4415},
		"the largest":        {Flags: ACK, Length: largestPayload, Options: sacked},
		"SYN": {Seq: 0xffffffff, Flags: SYN, Window: 65535, Options: Options{
			MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7,
		}},
		"SYN without timestamps": {Flags: SYN, Options: Options{MSS: 1, SACKPermitted: true, HasWindowScale: true}},
		"SACK":                   {Flags: ACK, Options: sacked},
		"every control bit":      {Flags: AE<<1 - 1},
		"none of them":           {},
	} {
		for _, ends := range [][2]netip.AddrPort{{client4, server4}, {server6, client6}} {
			s.Src, s.Dst = ends[0], ends[1]
			expectRoundTrip(t, name, s)
		}
	}
}

func expectRoundTrip(t *testing.T, name string, s Segment) {
	t.Helper()
	octets, err := s.Encode(clientMAC, serverMAC)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got, err := NewDecoder().Decode(octets); err != nil || got != s {
		t.Errorf("%s:\n got %+v (%v)\nwant %+v", name, got, err, s)
	}
	if got := [2]string{string(octets[:6]), string(octets[6:12])}; got != [2]string{string(serverMAC), string(clientMAC)} {
		t.Errorf("%s: it goes to %x, from %x", name, got[0], got[1])
	}
	expectChecksums(t, name, octets[14:])
}

// expectChecksums adds up what checksums are taken of, and the checksums (RFC
// 1071 section 1): right ones make it all ones.
func expectChecksums(t *testing.T, name string, packet []byte) {
	t.Helper()
	// Behind the packet an Ethernet frame may be padded.
	length := 40 + int(binary.BigEndian.Uint16(packet[4:]))
	addresses, header := packet[8:40], 40
	if packet[0]>>4 == 4 {
		length = int(binary.BigEndian.Uint16(packet[2:]))
		addresses, header = packet[12:20], 20
		if got := sum(packet[:20]); got != 0xffff {
			t.Errorf("%s: the octets of the IP header add up to %#x", name, got)
		}
	}
	tcp := packet[header:length]
	pseudo := binary.BigEndian.AppendUint32(nil, uint32(len(tcp)))
	pseudo = append(append(pseudo, 0, 6), addresses...)
	if got := sum(append(pseudo, tcp...)); got != 0xffff {
		t.Errorf("%s: the octets of the TCP segment add up to %#x", name, got)
	}
}

func sum(octets []byte) uint16 {
	var total uint32
	for i, octet := range octets {
		total += uint32(octet) << (8 * (1 - i%2))
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

func TestEncodeSaysWhatNoFrameCanHold(t *testing.T) {
	good := Segment{Src: client4, Dst: server4}
	for want, bend := range map[string]func(*Segment){
		"two of IPv4":               func(s *Segment) { s.Dst = server6 },
		"without zones":             func(s *Segment) { s.Src, s.Dst = netip.MustParseAddrPort("[fe80::1%eth0]:1"), server6 },
		"addresses must be":         func(s *Segment) { s.Src, s.Dst = netip.AddrPort{}, netip.AddrPort{} },
		"flags 0x200":               func(s *Segment) { s.Flags = 0x200 },
		"a payload of -1 octets":    func(s *Segment) { s.Length = -1 },
		"a payload of 65456 octets": func(s *Segment) { s.Length = largestPayload + 1 },
		"5 SACK blocks":             func(s *Segment) { s.Options.SACKBlocks = 5 },
		"a header of 68 octets":     func(s *Segment) { s.Options.SACKBlocks, s.Options.HasTimestamps = 4, true },
	} {
		s := good
		bend(&s)
		if _, err := s.Encode(clientMAC, serverMAC); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(true, uint32(4416), uint32(753), uint16(FIN|ACK), uint16(502), uint16(0), uint16(0), false, false, true, uint32(7), uint32(9), byte(0), byte(0))
	f.Add(false, uint32(0), uint32(0), uint16(SYN), uint16(65535), uint16(3), uint16(1460), true, true, true, uint32(7), uint32(0), byte(7), byte(2))
	f.Fuzz(func(t *testing.T, v6 bool, seq, ack uint32, flags, window, length, mss uint16,
		scaled, sackPermitted, clocked bool, tsVal, tsEcr uint32, scale, blocks byte,
	) {
		s := Segment{
			Src: client4, Dst: server4, Seq: seq, Ack: ack, Flags: Flags(flags), Window: window, Length: int(length),
			Options: Options{MSS: mss, SACKPermitted: sackPermitted, SACKBlocks: blocks},
		}
		if v6 {
			s.Src, s.Dst = client6, server6
		}
		if scaled {
			s.Options.HasWindowScale, s.Options.WindowScale = true, scale
		}
		if clocked {
			s.Options.HasTimestamps, s.Options.TSVal, s.Options.TSEcr = true, tsVal, tsEcr
		}
		for i := range min(int(blocks), len(s.Options.SACK)) {
			s.Options.SACK[i] = Block{seq + uint32(i), ack}
		}
		if _, err := s.Encode(clientMAC, serverMAC); err == nil {
			expectRoundTrip(t, "fuzzed", s)
		}
	})
}
