package clock

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Noise tells how late this machine runs a thread whose time has come: because its
// processors are busy with others, or, where it is a virtual one, because it does not
// run at all. Until it is closed it takes a thread and some permille of a processor.
type Noise struct {
	mu     sync.Mutex
	due    Instant // when the thread is to run next
	late   []delay // from old to new
	closed chan struct{}
}

// A delay is how much later than it was due the thread ran.
type delay struct {
	due Instant
	by  time.Duration
}

// The thread is due each noisePeriod. What is less than noiseFloor is no news, and
// of the rest the last noiseKept are kept: hours, unless something is badly wrong.
const (
	noisePeriod = time.Millisecond
	noiseFloor  = time.Millisecond
	noiseKept   = 1 << 14
)

// ListenToNoise begins to measure.
func ListenToNoise() *Noise {
	n := &Noise{due: Now().Add(noisePeriod), closed: make(chan struct{})}
	go n.listen()
	return n
}

// Close ends the measurement.
func (n *Noise) Close() { close(n.closed) }

func (n *Noise) listen() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case <-n.closed:
			return
		default:
		}
		sleepUntil(n.due)
		n.ran(Now())
	}
}

// sleepUntil sleeps to the moment, which is the very thing that is measured.
func sleepUntil(at Instant) {
	wake := unix.NsecToTimespec(int64(at))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &wake, nil) == unix.EINTR {
	}
}

// ran notes that the thread, which was due, has run.
func (n *Noise) ran(at Instant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if by := at.Sub(n.due); by >= noiseFloor {
		n.late = append(n.late, delay{n.due, by})
	}
	if len(n.late) > noiseKept {
		n.late = append(n.late[:0], n.late[noiseKept/2:]...)
	}
	n.due = at.Add(noisePeriod)
}

// Worst is the longest time for which the thread was kept waiting between two
// moments, to the millisecond: less than one is 0. What has begun before counts with
// what was left of it, and what is not over with what has passed.
func (n *Noise) Worst(from, to Instant) (worst time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	waiting := delay{n.due, Now().Sub(n.due)}
	for _, d := range append(n.late[:len(n.late):len(n.late)], waiting) {
		begin, end := max(d.due, from), min(d.due.Add(d.by), to)
		if kept := end.Sub(begin); kept >= noiseFloor {
			worst = max(worst, kept)
		}
	}
	return worst
}
