package impair

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"

	"github.com/finwait/finwait/harness/lab"
)

// packet writes an IP packet with a TCP segment.
func packet(t *testing.T, from, to netip.AddrPort, tcp layers.TCP) []byte {
	t.Helper()
	var ip interface {
		gopacket.NetworkLayer
		gopacket.SerializableLayer
	}
	src, dst := net.IP(from.Addr().AsSlice()), net.IP(to.Addr().AsSlice())
	if from.Addr().Is6() {
		ip = &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, SrcIP: src, DstIP: dst}
	} else {
		ip = &layers.IPv4{Version: 4, Protocol: layers.IPProtocolTCP, SrcIP: src, DstIP: dst}
	}
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(from.Port()), layers.TCPPort(to.Port())
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true}, ip, &tcp); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// matches does what net/sched/cls_u32.c, u32_classify does with a selector.
func matches(sel *netlink.TcU32Sel, packet []byte) bool {
	for _, key := range sel.Keys {
		if (binary.BigEndian.Uint32(packet[key.Off:])^key.Val)&key.Mask != 0 {
			return false
		}
	}
	return true
}

func TestOnlyTheFINOfTheConnectionMatches(t *testing.T) {
	for _, family := range []struct{ client, server, stranger string }{
		{"192.0.2.1:40000", "192.0.2.2:80", "192.0.2.3:40000"},
		{"[2001:db8::1]:40000", "[2001:db8::2]:80", "[2001:db8::3]:40000"},
	} {
		client, server := netip.MustParseAddrPort(family.client), netip.MustParseAddrPort(family.server)
		stranger := netip.MustParseAddrPort(family.stranger)
		other := netip.AddrPortFrom(client.Addr(), client.Port()+1)
		fin, ack := layers.TCP{FIN: true, ACK: true}, layers.TCP{ACK: true, Window: 0xffff, Seq: 0xffffffff, Ack: 0xffffffff}
		sel := matchFIN(client, server)
		for _, c := range []struct {
			what     string
			from, to netip.AddrPort
			tcp      layers.TCP
			want     bool
		}{
			{"its FIN", client, server, fin, true},
			{"its FIN with PSH", client, server, layers.TCP{FIN: true, ACK: true, PSH: true}, true},
			{"its FIN with SYN", client, server, layers.TCP{FIN: true, SYN: true}, true},
			{"its ACK", client, server, ack, false},
			{"its RST", client, server, layers.TCP{RST: true}, false},
			{"the peer's FIN", server, client, fin, false},
			{"the FIN of another port", other, server, fin, false},
			{"the FIN of another host", stranger, server, fin, false},
			{"the FIN to another host", client, netip.AddrPortFrom(stranger.Addr(), server.Port()), fin, false},
		} {
			if got := matches(sel, packet(t, c.from, c.to, c.tcp)); got != c.want {
				t.Errorf("%s from %v: held is %v, want %v", c.what, c.from, got, c.want)
			}
		}
	}
}

func TestHoldTimeHasBounds(t *testing.T) {
	end := &lab.End{Host: &lab.Host{Name: "a"}}
	for _, delay := range []time.Duration{0, time.Microsecond - 1, MaxForwardedHold + 1} {
		_, err := HoldForwardedFIN(end, netip.AddrPort{}, netip.AddrPort{}, delay)
		if err == nil || !strings.Contains(err.Error(), "must be at least 1µs and at most 1m0s") {
			t.Errorf("%v on a router: %v", delay, err)
		}
	}
	for _, delay := range []time.Duration{0, 1, time.Microsecond - 1, -time.Millisecond, MaxHold + 1, time.Hour} {
		_, hold := HoldFIN(end, netip.AddrPort{}, netip.AddrPort{}, delay)
		_, reorder := HoldAllBut(end, 2, delay)
		for _, err := range []error{hold, reorder} {
			if err == nil || !strings.Contains(err.Error(), "must be at least 1µs and at most 150ms") {
				t.Errorf("%v: %v", delay, err)
			}
		}
	}
	if _, err := HoldAllBut(&lab.End{Host: &lab.Host{}}, 1, time.Millisecond); err == nil || !strings.Contains(err.Error(), "none can be held") {
		t.Errorf("a gap of 1: %v", err)
	}
}
