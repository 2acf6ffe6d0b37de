// Package wire is a cable in user space between two links: it passes frames
// on, holds, drops, duplicates or delays chosen segments, and injects some of its
// own. Unless a rule says
// so it neither reorders nor loses anything, and no timer takes part in a hold:
// the order that a rule asks for is certain, on any kernel. What it could not
// keep up with is counted.
package wire

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// A Wire relays frames until it is closed.
type Wire struct {
	ends  [2]*lab.End
	ports [2]int // packet sockets: towards the client, towards the server
	wake  int    // an eventfd that ends a wait

	oneWay time.Duration // what each frame takes
	// processor is where the relaying thread stays.
	processor int

	mu        sync.Mutex
	buffer    []byte // for the frame that is being taken in
	board     *switchboard
	underWay  []dated          // the next one first
	last      [2]clock.Instant // when the last frame of each side is due
	lost      int              // frames that came when the receive buffers were full
	dropped   int              // frames that came or went when a processor's queue was
	hand      *Hand            // nil while the wire relays
	open      bool
	releasing bool  // whether what is released has yet to be delivered
	err       error // why it stopped by itself
	done      chan struct{}
}

// A dated frame is one with the time at which it comes to the other end.
type dated struct {
	frame
	due clock.Instant
}

// An Option sets what a wire is besides a cable of no length.
type Option func(*Wire) error

// RoundTrip has every frame take half of d to the other end, in order, counted
// from when the kernel received it; what rules do to it comes on top. The round
// trip must not be negative; 0 is none.
func RoundTrip(d time.Duration) Option {
	return func(w *Wire) error {
		if d < 0 {
			return fmt.Errorf("the round trip %v is below 0", d)
		}
		w.oneWay = d / 2
		return nil
	}
}

// Open starts relaying between two ends of one host: what comes in at one goes
// out at the other.
func Open(client, server *lab.End, options ...Option) (*Wire, error) {
	w := &Wire{
		ends:  [2]*lab.End{client, server},
		ports: [2]int{-1, -1}, wake: -1, buffer: make([]byte, largest),
		board: newSwitchboard(), open: true, done: make(chan struct{}),
	}
	for _, set := range options {
		if err := set(w); err != nil {
			return nil, fmt.Errorf("open a wire: %w", err)
		}
	}
	for i, end := range w.ends {
		fd, err := end.Tap(receiveBuffer)
		if err != nil {
			w.closeFiles()
			return nil, fmt.Errorf("open a wire at %s of %s: %w", end.Name, end.Host.Name, err)
		}
		w.ports[i] = fd
	}
	var err error
	if w.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		w.closeFiles()
		return nil, fmt.Errorf("open a wire: eventfd: %w", err)
	}
	pinned := make(chan error)
	go w.run(pinned)
	if err := <-pinned; err != nil {
		<-w.done
		w.closeFiles()
		return nil, fmt.Errorf("open a wire: %w", err)
	}
	return w, nil
}

// Arm puts rules in place of those before. A rule acts on, and waits for, what the
// wire takes in after Arm has returned; what is on its way then arrives when it
// would have, what has been released goes, and what a rule still keeps back is lost.
func (w *Wire) Arm(rules ...Rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.board.released() {
		w.setOut(dated{frame: f, due: clock.Now()})
	}
	w.board.arm(rules)
	for i := range w.underWay {
		w.underWay[i].free()
	}
}

// Add puts rules in place beside those before, which go first. They act on, and wait
// for, what the wire takes in after Add has returned.
func (w *Wire) Add(rules ...Rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.board.add(rules)
}

// Release has the wire deliver what rules hold until they are released, and hold nothing
// more by them. What several hold is delivered in the order in which it came, and before
// anything that comes later. It returns before that is done.
func (w *Wire) Release(rules ...Rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := false
	for _, rule := range rules {
		held = w.board.release(rule) || held
	}
	if held && w.open {
		w.releasing = true
		w.rouse()
	}
}

// rouse ends the relaying thread's wait.
func (w *Wire) rouse() { _, _ = unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Idle reports whether the wire is empty of what it has taken in: no rule keeps
// anything back, and nothing is on its way to the other end.
func (w *Wire) Idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.idle() && len(w.underWay) == 0 && !w.releasing
}

// Finished returns an error that says why the wire stopped by itself, how many
// frames it lost, or which rule has not done what it is for; nil if nothing is
// wrong.
func (w *Wire) Finished() error {
	if err := w.Lost(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.unfinished()
}

// Lost is Finished, whatever rules have done.
func (w *Wire) Lost() error {
	// The links take long to answer, while no frame is to wait for the lock.
	dropped, err := w.askLinks()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.open {
		w.dropped = max(w.dropped, dropped)
		if err == nil {
			err = w.askPorts()
		}
		if err != nil {
			return fmt.Errorf("ask what the wire between %s lost: %w", w.between(), err)
		}
	}
	if n := w.lost + w.dropped; n > 0 {
		return fmt.Errorf("the wire lost %d frames: it, or the kernel around it, did not keep up", n)
	}
	if n := w.board.counts.Unreadable; n > 0 {
		return fmt.Errorf("the wire passed on %d frames that it could not read", n)
	}
	return nil
}

// askLinks asks the links of an open wire how many frames they have dropped, as they
// do when too many wait for a processor (net/core/dev.c, enqueue_to_backlog).
func (w *Wire) askLinks() (dropped int, err error) {
	w.mu.Lock()
	open := w.open
	w.mu.Unlock()
	if !open {
		return 0, nil
	}
	for _, end := range w.ends {
		link, err := end.Host.Netlink.LinkByIndex(end.Index)
		if err != nil {
			return dropped, err
		}
		if s := link.Attrs().Statistics; s != nil {
			dropped += int(s.RxDropped + s.TxDropped)
		}
	}
	return dropped, nil
}

// askPorts asks the packet sockets what they lost, which count anew after each
// question.
func (w *Wire) askPorts() error {
	for _, port := range w.ports {
		stats, err := unix.GetsockoptTpacketStats(port, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			return err
		}
		w.lost += int(stats.Drops)
	}
	return nil
}

// between names the wire by its ends.
func (w *Wire) between() string {
	return fmt.Sprintf("%s and %s of %s", w.ends[0].Name, w.ends[1].Name, w.ends[0].Host.Name)
}

// KeptUp returns an error if the wire was so slow that a kernel may have taken it
// for loss: if it kept a frame for as long as a retransmission timer, on top of
// what the wire takes anyhow and what rules do. See Counts.
func (w *Wire) KeptUp(timer time.Duration) error {
	if stay := w.Counts().LongestStay; stay >= timer {
		return fmt.Errorf("the wire kept a frame for %v longer than it was to, and a retransmission timer is as short as %v: it did not keep up", stay, timer)
	}
	return nil
}

// Counts returns what the wire has seen.
func (w *Wire) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.counts
}

// Done is closed when the wire relays no more: it was closed, or stopped by
// itself, of which Err tells.
func (w *Wire) Done() <-chan struct{} { return w.done }

// Err is why the wire stopped by itself, nil if it did not.
func (w *Wire) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close stops relaying; what is kept back is lost. A closed wire may be closed
// again.
func (w *Wire) Close() {
	w.mu.Lock()
	open := w.open
	w.open = false
	w.mu.Unlock()
	if !open {
		return
	}
	w.rouse()
	<-w.done
	w.closeFiles()
}

func (w *Wire) closeFiles() {
	for _, fd := range append(w.ports[:], w.wake) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// run relays on a thread of its own that stays on one processor: what it sends
// then waits in that processor's queue, and is received in the order sent
// (net/core/dev.c, enqueue_to_backlog).
func (w *Wire) run(pinned chan<- error) {
	defer close(w.done)
	runtime.LockOSThread() // and never unlock: the thread ends with its affinity
	var err error
	w.processor, err = lab.Pin()
	hurry()
	pinned <- err
	if err != nil {
		return
	}
	if err := w.relayAll(); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = fmt.Errorf("the wire between %s stopped: %w", w.between(), err)
	}
}

// relayAll relays until the wire is closed. A panic in it takes the wire down,
// not the process.
func (w *Wire) relayAll() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	for {
		if err := w.wait(); err != nil {
			return err
		}
		if open, err := w.relay(); !open || err != nil {
			return err
		}
	}
}

// wait waits for a frame, for the time at which one is due, or to be woken.
func (w *Wire) wait() error {
	fds := []unix.PollFd{
		{Fd: int32(w.ports[segment.Client]), Events: unix.POLLIN},
		{Fd: int32(w.ports[segment.Server]), Events: unix.POLLIN},
		{Fd: int32(w.wake), Events: unix.POLLIN},
	}
	for {
		_, err := unix.Ppoll(fds, w.nextDue(), nil)
		if err != unix.EINTR {
			return err
		}
	}
}

func (w *Wire) nextDue() *unix.Timespec {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.underWay) == 0 {
		return nil
	}
	left := unix.NsecToTimespec(max(0, w.underWay[0].due.Sub(clock.Now())).Nanoseconds())
	return &left
}
