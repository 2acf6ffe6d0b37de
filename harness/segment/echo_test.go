package segment

import (
	"net/netip"
	"testing"
)

// replyTo turns a request into what a host would answer: it has another type.
// Ethernet may have filled it up behind the end.
func replyTo(request []byte) (reply []byte, end int) {
	begin, echoReply := 14+20, byte(0)
	if request[12] == 0x86 {
		begin, echoReply = 14+40, 129
	}
	request[begin] = echoReply
	return request, begin + 8 + len(echoText)
}

func TestAnEchoReplyIsKnownAgain(t *testing.T) {
	for _, addresses := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}} {
		src, dst := netip.MustParseAddr(addresses[0]), netip.MustParseAddr(addresses[1])
		frame, err := EchoRequest(src, dst, make([]byte, 6), make([]byte, 6), 4711)
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := EchoReply(frame); ours {
			t.Errorf("from %v: a request passes for a reply", src)
		}
		reply, end := replyTo(frame)
		if number, ours := EchoReply(reply); !ours || number != 4711 {
			t.Errorf("from %v: the reply is number %d, ours: %v", src, number, ours)
		}
		for cut := range end {
			if _, ours := EchoReply(reply[:cut]); ours {
				t.Errorf("from %v: the first %d octets pass for a reply", src, cut)
			}
		}
		reply[end-1]++
		if _, ours := EchoReply(reply); ours {
			t.Errorf("from %v: another's reply passes for ours", src)
		}
	}
}
