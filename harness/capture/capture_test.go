package capture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

var (
	ipv4 = [2]string{"192.0.2.1/24", "192.0.2.2/24"}
	ipv6 = [2]string{"2001:db8::1/64", "2001:db8::2/64"}
)

func linked(t *testing.T, addresses [2]string) [2]*lab.End {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	var plugs [2]lab.Plug
	for i, address := range addresses {
		host, err := l.Host(string(rune('a' + i)))
		if err != nil {
			t.Fatal(err)
		}
		plugs[i] = lab.Plug{Host: host, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	link, err := l.Link(plugs[0], plugs[1])
	if err != nil {
		t.Fatal(err)
	}
	return link.Ends
}

func started(t *testing.T, ends [2]*lab.End) *Capture {
	t.Helper()
	c, err := Start(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// at makes an end's host the caller's while f runs; its sockets are package
// net's.
func at(t *testing.T, end *lab.End, f func(address *net.TCPAddr) error) {
	t.Helper()
	address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(end.Addresses[0].Addr(), 0))
	if err := end.Host.Do(func() error { return f(address) }); err != nil {
		t.Fatal(err)
	}
}

// refused makes a SYN go from the first end to the second and a RST come back.
func refused(t *testing.T, ends [2]*lab.End) {
	t.Helper()
	closed := net.TCPAddrFromAddrPort(netip.AddrPortFrom(ends[1].Addresses[0].Addr(), 9))
	at(t, ends[0], func(*net.TCPAddr) error {
		if _, err := net.DialTCP("tcp", nil, closed); !errors.Is(err, unix.ECONNREFUSED) {
			return fmt.Errorf("connect to a closed port: %w", err)
		}
		return nil
	})
}

func TestBothEndsAreSeen(t *testing.T) {
	t.Parallel()
	for _, addresses := range [][2]string{ipv4, ipv6} {
		ends := linked(t, addresses)
		before := clock.Now()
		c := started(t, ends)
		refused(t, ends)
		if err := c.Wait(t.Context(), func(s [2][]segment.Sighting) bool { return len(s[0]) == 2 && len(s[1]) == 2 }); err != nil {
			t.Fatal(err)
		}
		recording := c.Stop(t.Context())
		if len(recording.Doubts) != 0 || recording.Foreign != 0 {
			t.Errorf("doubts %v, %d foreign frames on a link that has none", recording.Doubts, recording.Foreign)
		}
		took := clock.Now().Sub(before)
		var last time.Duration
		for i, seen := range recording.Sightings {
			syn, rst := seen[0], seen[1]
			if !syn.Flags.Has(segment.SYN) || !rst.Flags.Has(segment.RST) {
				t.Errorf("end %d saw %v, then %v", i, syn.Segment, rst.Segment)
			}
			if fromHere := i == 0; syn.Sent != fromHere || rst.Sent == fromHere {
				t.Errorf("end %d takes what it sent for what it received", i)
			}
			if syn.At < last || rst.At < syn.At || rst.At > took {
				t.Errorf("end %d saw the SYN at %v and the RST at %v of %v", i, syn.At, rst.At, took)
			}
			last = syn.At // the SYN cannot arrive before it left
		}
	}
}

// With offloads, a tap would see what the program wrote, not what a wire would
// carry.
func TestNoFrameIsLargerThanTheLinkAllows(t *testing.T) {
	t.Parallel()
	const written, largest = 64 << 10, 1514 // the MTU and an Ethernet header
	ends := linked(t, ipv4)
	c := started(t, ends)
	var listener *net.TCPListener
	at(t, ends[1], func(address *net.TCPAddr) (err error) {
		listener, err = net.ListenTCP("tcp", address)
		return err
	})
	defer listener.Close()
	var conn *net.TCPConn
	at(t, ends[0], func(*net.TCPAddr) (err error) {
		conn, err = net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
		return err
	})
	defer conn.Close()
	if _, err := conn.Write(make([]byte, written)); err != nil {
		t.Fatal(err)
	}
	arrived := func(s [2][]segment.Sighting) bool {
		octets := 0
		for _, seen := range s[1] {
			octets += seen.Length
		}
		return octets >= written
	}
	if err := c.Wait(t.Context(), arrived); err != nil {
		t.Fatal(err)
	}
	for i, seen := range c.Stop(t.Context()).Sightings {
		full := 0
		for _, s := range seen {
			if s.FrameLength > largest {
				t.Fatalf("end %d saw a frame of %d octets", i, s.FrameLength)
			}
			if s.FrameLength == largest {
				full++
			}
		}
		if full == 0 {
			t.Errorf("end %d saw no frame of %d octets", i, largest)
		}
	}
}

func TestCloseIsNoFailure(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	asked, waiting := make(chan struct{}), make(chan error, 1)
	go func() {
		once := sync.OnceFunc(func() { close(asked) })
		waiting <- c.Wait(t.Context(), func([2][]segment.Sighting) bool { once(); return false })
	}()
	<-asked
	for range 2 {
		c.Close()
	}
	select {
	case err := <-waiting:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("who waited got %v, want %v", err, os.ErrClosed)
		}
	case <-time.After(10 * time.Second):
		t.Error("who waited was not told")
	}
	if len(c.failures) != 0 {
		t.Errorf("closing was taken for a failure: %v", c.failures)
	}
	for i, m := range c.markers { // their numbers may be other files' by now
		if _, err := m.send(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("end %d sent a marker after Close: %v", i, err)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx, func([2][]segment.Sighting) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Only text and number make a marker, in one of three frames; none is short of
// them.
func FuzzMarkerNumber(f *testing.F) {
	marker := "finwait marker\x00\x00\x00\x00\x00\x00\x00\x07" + strings.Repeat("\x00", 60)
	ip4 := "\x45\x00\x00\x50\x00\x00\x40\x00\x40\xfd" + strings.Repeat("\x00", 10)
	ip6 := "\x60\x00\x00\x00\x00\x3c\xfd\x40" + strings.Repeat("\x00", 32)
	for _, seed := range []string{"\x88\xb5", "\x08\x00" + ip4, "\x86\xdd" + ip6} {
		octets := []byte("0123456789ab" + seed + marker)
		if number, ok := markerNumber(octets); !ok || number != 7 {
			f.Errorf("%q was not taken for marker 7", octets)
		}
		f.Add(octets)
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		if _, ok := markerNumber(octets); ok && !strings.Contains(string(octets), string(markerText)) {
			t.Errorf("%q was taken for a marker", octets)
		}
	})
}
