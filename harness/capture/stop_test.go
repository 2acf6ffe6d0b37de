package capture

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
)

// overrun makes the tap of the second end lose frames.
func (c *Capture) overrun(t *testing.T) {
	t.Helper()
	resize := func(octets int) {
		t.Helper()
		var err error
		if control := c.taps[1].raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets)
		}); control != nil || err != nil {
			t.Fatal(control, err)
		}
	}
	resize(0)
	var err error
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
}

// has reports whether one of the doubts speaks of something.
func has(doubts []error, what string) bool {
	return slices.ContainsFunc(doubts, func(doubt error) bool { return strings.Contains(doubt.Error(), what) })
}

func TestEachStopReturnsEverythingSoFar(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
	for again := 1; again <= 3; again++ {
		refused(t, ends)
		recording := c.Stop(t.Context())
		if len(recording.Doubts) != 0 {
			t.Errorf("stop %d: %v", again, recording.Doubts)
		}
		for i, seen := range recording.Sightings {
			if len(seen) != 2*again {
				t.Errorf("stop %d: end %d saw %d segments, want %d", again, i, len(seen), 2*again)
			}
		}
	}
}

func TestLossIsADoubtForGood(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	if doubts := c.Stop(t.Context()).Doubts; len(doubts) != 0 {
		t.Errorf("before any loss: %v", doubts)
	}
	c.overrun(t)
	for stop := range 2 {
		if doubts := c.Stop(t.Context()).Doubts; !has(doubts, "lost") {
			t.Errorf("stop %d after frames were lost: the doubts are %v", stop, doubts)
		}
	}
}

func TestASetClockIsADoubtForGood(t *testing.T) {
	t.Parallel()
	c := started(t, linked(t, ipv4))
	c.mu.Lock()
	was := c.offset
	c.offset = clock.Offset{} // as if it had been 1970
	c.mu.Unlock()
	if doubts := c.Stop(t.Context()).Doubts; !has(doubts, "CLOCK_REALTIME") {
		t.Errorf("a clock that was set: the doubts are %v", doubts)
	}
	c.mu.Lock()
	c.offset = was
	c.mu.Unlock()
	if doubts := c.Stop(t.Context()).Doubts; !has(doubts, "CLOCK_REALTIME") {
		t.Errorf("a clock that was set back: the doubts are %v", doubts)
	}
}

// A stamp from after the marker was sent is one that was taken when the tap was
// read.
func TestATapIsNotLiveBeforeItStamps(t *testing.T) {
	t.Parallel()
	c, err := open(linked(t, ipv4))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.proveLive(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	c.offset = clock.Offset{} // every stamp is from long after 1970
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.proveLive(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("taps that stamp too late were proven live: %v", err)
	}
}

func TestStopSendsAMarkerFromEveryProcessor(t *testing.T) {
	t.Parallel()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	var used unix.CPUSet
	if err := onEveryProcessor(func() error {
		var cpu uint32
		if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
			return errno
		}
		used.Set(int(cpu))
		return nil
	}); err != nil || used != allowed {
		t.Errorf("ran on %v of %v, %v", used, allowed, err)
	}

	c := started(t, linked(t, ipv4))
	before := [2]uint64{c.markers[0].number, c.markers[1].number}
	c.Stop(t.Context())
	for i, m := range c.markers {
		if sent := m.number - before[i]; sent != uint64(allowed.Count()) {
			t.Errorf("end %d sent %d markers from %d processors", i, sent, allowed.Count())
		}
	}
}

func TestADeadLinkIsADoubt(t *testing.T) {
	t.Parallel()
	ends := linked(t, ipv4)
	c := started(t, ends)
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
