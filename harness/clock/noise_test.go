package clock

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a thread was kept waiting for is found, and only in the time in which it was.
func TestWorstNoise(t *testing.T) {
	const ms = Instant(time.Millisecond)
	n := &Noise{due: 10 * ms}
	for _, at := range []Instant{10 * ms, 11*ms + 500, 12*ms + 900_000, 60 * ms, 61 * ms, 71 * ms, 72 * ms} {
		n.ran(at)
	}
	n.due = Now().Add(time.Hour) // it is not waiting
	for _, c := range []struct {
		from, to Instant
		want     time.Duration
	}{
		{0, 13 * ms, 0},
		{0, 100 * ms, 46_100 * time.Microsecond},
		{20 * ms, 30 * ms, 10 * time.Millisecond},
		{60 * ms, 100 * ms, 9 * time.Millisecond},
		{70 * ms, 100 * ms, time.Millisecond},
		{71 * ms, 100 * ms, 0},
	} {
		if got := n.Worst(c.from, c.to); got != c.want {
			t.Errorf("from %v to %v it is %v, want %v", time.Duration(c.from), time.Duration(c.to), got, c.want)
		}
	}
	n.due = Now().Add(-time.Second)
	if got := n.Worst(Now().Add(-time.Minute), Now()); got < time.Second || got > time.Minute {
		t.Errorf("what has waited for a second has been kept for %v", got)
	}
}

// Real-time threads of the test's keep all processors that the process may use.
func TestNoiseIsHeard(t *testing.T) {
	const kept = 50 * time.Millisecond
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	n := ListenToNoise()
	defer n.Close()
	all := &hogs{begin: make(chan struct{}), placed: make(chan error, allowed.Count()), done: make(chan error, allowed.Count())}
	all.missing.Store(int32(allowed.Count()))
	for cpu, left := 0, allowed.Count(); left > 0; cpu++ {
		if allowed.IsSet(cpu) {
			left--
			go all.hog(cpu, kept)
		}
	}
	for range allowed.Count() {
		if err := <-all.placed; err != nil {
			t.Fatal(err)
		}
	}
	close(all.begin)
	for range allowed.Count() {
		if err := <-all.done; err != nil {
			t.Skipf("no thread may keep a processor for itself: %v", err)
		}
	}
	end := Instant(all.end.Load())
	if got := n.Worst(end.Add(-kept), end); got < kept/2 {
		t.Errorf("with every processor taken for %v the thread was kept waiting for %v", kept, got)
	}
}

// hogs are threads that keep a processor each, all for the same time.
type hogs struct {
	placed, done chan error
	begin        chan struct{} // closed when each is on its processor
	missing      atomic.Int32  // those that do not come before everything else yet
	end          atomic.Int64
}

// hog keeps a processor busy with what comes before everything of ordinary priority.
// The thread dies with its policy.
func (h *hogs) hog(cpu int, kept time.Duration) {
	runtime.LockOSThread()
	var one unix.CPUSet
	one.Set(cpu)
	h.placed <- unix.SchedSetaffinity(0, &one)
	<-h.begin
	err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	if h.missing.Add(-1) == 0 {
		h.end.Store(int64(Now().Add(kept)))
	}
	if err == nil {
		for h.missing.Load() > 0 || Now() < Instant(h.end.Load()) {
		}
	}
	h.done <- err
}

func TestNoiseForgets(t *testing.T) {
	n := &Noise{}
	for i := range 3 * noiseKept {
		n.ran(n.due.Add(time.Duration(2+i) * time.Millisecond))
	}
	if len(n.late) > noiseKept {
		t.Errorf("%d delays are kept", len(n.late))
	}
	last := n.late[len(n.late)-1]
	if want := time.Duration(3*noiseKept+1) * time.Millisecond; last.by != want {
		t.Errorf("the last delay is %v, want %v", last.by, want)
	}
}

func BenchmarkNoise(b *testing.B) {
	n := ListenToNoise()
	defer n.Close()
	for b.Loop() {
		n.Worst(0, Now())
	}
}
