// Package wire is a cable in user space between two links: it passes frames
// on, and holds, drops, duplicates or delays chosen segments. Unless a rule says
// so it neither reorders nor loses anything, and no timer takes part in a hold:
// the order that a rule asks for is certain, on any kernel.
package wire

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// A Wire relays frames until it is closed.
type Wire struct {
	ports [2]int // packet sockets: towards the client, towards the server
	wake  int    // an eventfd that ends a wait

	// buffer is the relaying thread's alone.
	buffer []byte

	mu    sync.Mutex
	board *switchboard
	late  []delayed
	open  bool
	err   error // why it stopped by itself
	done  chan struct{}
}

// A delayed frame waits for its time.
type delayed struct {
	frame
	due time.Time
}

// Open starts relaying between two ends of one host: what comes in at one goes
// out at the other.
func Open(client, server *lab.End) (*Wire, error) {
	w := &Wire{ports: [2]int{-1, -1}, wake: -1, buffer: make([]byte, largest), board: newSwitchboard(), open: true, done: make(chan struct{})}
	for i, end := range []*lab.End{client, server} {
		fd, err := openPort(end)
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
	go w.run()
	return w, nil
}

// openPort opens a packet socket that gets what the end receives, whoever it is
// addressed to, and nothing of what it sends.
func openPort(end *lab.End) (int, error) {
	var fd int
	if err := end.Host.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		return -1, fmt.Errorf("socket(AF_PACKET): %w", err)
	}
	fail := func(what string, err error) (int, error) {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", what, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return fail("ignore what is sent", err)
	}
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8) // in network order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: end.Index}); err != nil {
		return fail("bind", err)
	}
	return fd, nil
}

// Arm puts rules in place of those before. A rule acts on what comes in after
// Arm has returned.
func (w *Wire) Arm(rules ...Rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.board.arm(rules)
}

// Idle reports whether the wire holds nothing back.
func (w *Wire) Idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.board.rules {
		if r.held != nil && !r.released {
			return false
		}
	}
	return len(w.late) == 0
}

// Finished returns an error that names the first rule that has not done what
// it is for, or says why the wire stopped by itself.
func (w *Wire) Finished() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return w.board.unfinished()
}

// Counts returns what the wire has seen since it was opened.
func (w *Wire) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.counts
}

// Close stops relaying; what is held is lost.
func (w *Wire) Close() {
	w.mu.Lock()
	w.open = false
	w.mu.Unlock()
	_, _ = unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
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
func (w *Wire) run() {
	defer close(w.done)
	runtime.LockOSThread() // and never unlock: the thread ends with its affinity
	err := settle()
	for err == nil {
		if err = w.wait(); err == nil {
			var open bool
			if open, err = w.relay(); !open {
				return
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = fmt.Errorf("the wire stopped: %w", err)
}

// opened counts the wires, to spread them over the processors.
var opened atomic.Uint32

// settle keeps the calling thread on one of the processors it may use.
func settle() error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	turn := int(opened.Add(1)) % allowed.Count()
	for cpu := 0; ; cpu++ {
		if !allowed.IsSet(cpu) {
			continue
		}
		if turn--; turn < 0 {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}

// wait waits for a frame, for a delayed one's time, or to be woken.
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
	if len(w.late) == 0 {
		return nil
	}
	next := w.late[0].due
	for _, l := range w.late[1:] {
		if l.due.Before(next) {
			next = l.due
		}
	}
	wait := unix.NsecToTimespec(max(0, time.Until(next)).Nanoseconds())
	return &wait
}
