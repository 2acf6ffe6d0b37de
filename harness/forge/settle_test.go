package forge

import (
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// What the peer sends is there when Settle returns, and where it is silent there is
// nothing, however often one asks.
func TestSettleTellsAnswersFromSilence(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // and never unlock: the thread ends with its affinity
	if _, err := lab.Pin(); err != nil {
		t.Fatal(err)
	}
	settled := func(c *Client) []segment.Segment {
		t.Helper()
		answers, err := c.Settle(t.Context())
		must(t, err)
		return answers
	}
	for _, addresses := range [][2]netip.Prefix{ipv4, ipv6} {
		client, conn := connected(t, addresses)
		for range 20 {
			if got := settled(client); len(got) != 0 {
				t.Fatalf("nothing was asked, and the answer is %v", got)
			}
		}
		// In the window, and not what is expected next: a challenge ACK (RFC 5961
		// section 3.2).
		must(t, client.Send(segment.Segment{Flags: segment.RST, Seq: client.SndNxt + 1}))
		if got := settled(client); len(got) != 1 || !got[0].IsPureACK() {
			t.Errorf("a RST out of sequence is answered by %v", got)
		}
		must(t, conn.SetLinger(0))
		must(t, conn.Close())
		if got := settled(client); len(got) != 1 || !got[0].Flags.Has(segment.RST) {
			t.Errorf("what comes of a close that aborts is %v", got)
		}
	}
}

func TestTimestampsAreOfferedAndEchoed(t *testing.T) {
	t.Parallel()
	near, far := ends(t, ipv4)
	listener := listen(t, far)
	client, err := Open(near, far, listener.Addr().(*net.TCPAddr).AddrPort())
	must(t, err)
	t.Cleanup(client.Abort)
	var seen []segment.Segment
	client.Trace = func(s segment.Segment) { seen = append(seen, s) }
	client.TSVal = 1000
	must(t, client.ShakeHands(t.Context()))
	if len(seen) != 3 {
		t.Fatalf("a handshake of %v", seen)
	}
	for i, s := range seen {
		if !s.Options.HasTimestamps {
			t.Errorf("%v has no timestamps", s)
		}
		if i > 0 && s.Options.TSEcr != seen[i-1].Options.TSVal {
			t.Errorf("%v echoes %d, not the %d before", s, s.Options.TSEcr, seen[i-1].Options.TSVal)
		}
	}
}

// The client answers a SYN, or crosses it with its own.
func TestAClientCanBeConnectedTo(t *testing.T) {
	t.Parallel()
	for _, flags := range []segment.Flags{segment.ACK, 0} {
		near, far := ends(t, ipv4)
		from := netip.AddrPortFrom(far.Addresses[0].Addr(), 41000)
		client, err := Open(near, far, from)
		must(t, err)
		t.Cleanup(client.Abort)
		dialed := make(chan error, 1)
		go func() {
			dialed <- far.Host.Do(func() error {
				dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
				conn, err := dialer.DialContext(t.Context(), "tcp", client.Local.String())
				if err == nil {
					conn.Close()
				}
				return err
			})
		}()
		must(t, client.Answer(t.Context(), flags))
		covered := func(s segment.Segment) bool { return s.Covers(client.SndNxt) }
		_, err = client.Await(t.Context(), covered)
		must(t, err)
		must(t, client.Acknowledge())
		must(t, <-dialed)
	}
}
