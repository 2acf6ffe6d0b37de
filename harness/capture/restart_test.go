package capture

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
)

func TestRestartBeginsAnew(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	for again := range 3 {
		refused(t, ends)
		recording := c.Stop(t.Context())
		if len(recording.Doubts) != 0 {
			t.Errorf("recording %d: %v", again, recording.Doubts)
		}
		for i, seen := range recording.Sightings {
			if len(seen) != 2 || seen[0].At < 0 {
				t.Errorf("recording %d: end %d saw %v, want a SYN and a RST, no earlier than it began", again, i, seen)
			}
		}
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// What went by after Stop belongs to no recording.
func TestRestartWantsSilence(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	c.Stop(t.Context())
	refused(t, ends)
	if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "saw 2 segments after") {
		t.Errorf("got %v", err)
	}
}

// What holds no TCP segment is counted, and is no matter of the next recording's.
func TestRestartMindsNoMulticasts(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	multicast := func() {
		at(t, ends[1], func(*net.TCPAddr) error {
			for _, to := range []string{"192.0.2.255:5353", "192.0.2.1:5353"} {
				datagrams, err := net.Dial("udp4", to)
				if err != nil {
					return err
				}
				defer datagrams.Close()
				if _, err := datagrams.Write([]byte("here I am")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for again := range 2 {
		multicast()
		recording := c.Stop(t.Context())
		if len(recording.Doubts) != 0 || recording.Foreign < 4 { // at both taps
			t.Errorf("recording %d: doubts %v, %d foreign frames", again, recording.Doubts, recording.Foreign)
		}
		multicast()
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if recording := c.Stop(t.Context()); recording.Foreign != 0 {
			t.Errorf("recording %d has %d foreign frames of the one before", again+1, recording.Foreign)
		}
	}
}

// A segment that comes to another host than it is addressed to is none that the link is
// to have.
func TestRestartWantsNoStraySegments(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	stray, err := segment.Segment{
		Src: netip.MustParseAddrPort("192.0.2.1:1"), Dst: netip.MustParseAddrPort("192.0.2.7:2"), Flags: segment.ACK,
	}.Encode([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 7})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := ends[0].PacketSocket(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, stray); err != nil {
		t.Fatal(err)
	}
	c.Stop(t.Context())
	if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "saw 1 TCP segments that were not addressed") {
		t.Errorf("got %v", err)
	}
}

// Whatever comes in while a recording is replaced is found, or belongs to the next
// one, and was seen after that had begun.
func TestNothingIsOlderThanItsRecording(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	took := time.Duration(0) // by a Restart
	for round := range 300 {
		// A long recording takes Stop long to hand out, when its proof is over.
		c.mu.Lock()
		c.sightings[0] = append(c.sightings[0], make([]segment.Sighting, 2000)...)
		c.mu.Unlock()
		c.Stop(t.Context())
		began, done := make(chan clock.Instant), make(chan struct{})
		go func() {
			defer close(done)
			for until := (<-began).Add(took * time.Duration(round%100) / 80); clock.Now() < until; {
				runtime.Gosched()
			}
			refused(t, ends)
		}()
		start := clock.Now()
		began <- start
		err := c.Restart(t.Context())
		over := clock.Now()
		<-done
		recording := c.Stop(t.Context())
		took = took*9/10 + over.Sub(start)/10
		if err != nil { // nothing else is wrong with this capture, so it can try again
			if !strings.Contains(err.Error(), "segments after the recording had ended") {
				t.Fatal(err)
			}
			continue
		}
		for i, seen := range recording.Sightings {
			for _, s := range seen {
				if s.At < 0 {
					t.Fatalf("round %d: end %d saw %v at %v, and nothing doubts it", round, i, s.Segment, s.At)
				}
			}
		}
	}
}

func TestRestartWantsNothingLost(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	c.Stop(t.Context())
	c.overrun(t)
	if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("got %v", err)
	}
}

func TestRestartWantsProof(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	c.Stop(t.Context())
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	var err error
	if control := c.taps[1].raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	}); control != nil || err != nil {
		t.Fatal(control, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Restart(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a tap that sees no marker: got %v", err)
	}
}

func TestRestartWantsLiveTaps(t *testing.T) {
	t.Parallel()
	for i := range 2 {
		c := started(t, linked(t, ipv4))
		c.Stop(t.Context())
		c.taps[i].close()
		if err := c.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("with tap %d closed: got %v", i, err)
		}
	}
}
