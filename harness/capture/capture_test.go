package capture

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

func linked(t *testing.T) [2]*lab.End {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	var plugs [2]lab.Plug
	for i, address := range []string{"192.0.2.1/24", "192.0.2.2/24"} {
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

// connect makes a SYN go from one end to the other and a RST come back.
func connect(t *testing.T, from *lab.End) {
	t.Helper()
	err := from.Host.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 2}, Port: 9}); err != unix.ECONNREFUSED {
			t.Errorf("connect to a closed port: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBothEndsAreSeen(t *testing.T) {
	t.Parallel()
	ends := linked(t)
	before := clock.Now()
	c, err := Start(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	connect(t, ends[0])
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

func TestLossIsADoubt(t *testing.T) {
	t.Parallel()
	ends := linked(t)
	c, err := Start(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	resize := func(octets int) {
		t.Helper()
		if control := c.taps[1].raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets)
		}); control != nil || err != nil {
			t.Fatal(control, err)
		}
	}
	resize(0)
	c.mu.Lock() // no reader gets any further than its next frame
	for range 1000 {
		if _, err = c.markers[0].send(); err != nil {
			break
		}
	}
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	resize(receiveBuffer) // the markers that end the recording come through
	for _, doubt := range c.Stop(t.Context()).Doubts {
		if strings.Contains(doubt.Error(), "lost") {
			return
		}
	}
	t.Error("a tap that lost frames raised no doubt")
}

func TestADeadLinkIsADoubt(t *testing.T) {
	t.Parallel()
	ends := linked(t)
	c, err := Start(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	link, err := ends[0].Host.Netlink.LinkByName(ends[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := ends[0].Host.Netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if doubts := c.Stop(ctx).Doubts; len(doubts) == 0 {
		t.Error("a recording that could not be proven complete raised no doubt")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, err := Start(t.Context(), linked(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx, func([2][]segment.Sighting) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzIsMarker(f *testing.F) {
	f.Add([]byte("0123456789ab\x88\xb5finwait marker\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		if isMarker(octets) && len(octets) < 14+len(markerText) {
			t.Errorf("%q was taken for a marker", octets)
		}
	})
}
