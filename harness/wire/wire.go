// Package wire is a cable in user space between two links: it passes frames
// on, and holds, drops, duplicates or delays chosen segments. Unless a rule says
// so it neither reorders nor loses anything, and no timer takes part in a hold:
// the order that a rule asks for is certain, on any kernel. What it could not
// keep up with is counted.
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
	late  []delayed // the next one first
	lost  int       // frames that came when the receive buffers were full
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
	w := &Wire{
		ports: [2]int{-1, -1}, wake: -1, buffer: make([]byte, largest),
		board: newSwitchboard(), open: true, done: make(chan struct{}),
	}
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
	pinned := make(chan error)
	go w.run(pinned)
	if err := <-pinned; err != nil {
		<-w.done
		w.closeFiles()
		return nil, fmt.Errorf("open a wire: %w", err)
	}
	return w, nil
}

// receiveBuffer holds some ten thousand frames, should the relaying thread have
// to wait for its processor.
const receiveBuffer = 32 << 20

// openPort opens a packet socket that gets what passes the end, whoever it is
// addressed to.
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
	// SO_RCVBUFFORCE is not for everyone who may open a wire; without it the
	// buffer is as large as net.core.rmem_max allows, and what does not fit is
	// counted.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fail("enlarge the receive buffer", err)
		}
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

// Idle reports whether the wire keeps nothing back.
func (w *Wire) Idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.idle()
}

// Finished returns an error that says why the wire stopped by itself, how many
// frames it lost, or which rule has not done what it is for; nil if nothing is
// wrong.
func (w *Wire) Finished() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	for _, fd := range w.ports {
		if !w.open {
			break
		}
		stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			return fmt.Errorf("ask the wire what it lost: %w", err)
		}
		w.lost += int(stats.Drops) // counted anew after each question
	}
	if w.lost > 0 {
		return fmt.Errorf("the wire lost %d frames: it did not keep up", w.lost)
	}
	if n := w.board.counts.Unreadable; n > 0 {
		return fmt.Errorf("the wire passed on %d frames that it could not read", n)
	}
	return w.board.unfinished()
}

// Counts returns what the wire has seen since it was opened.
func (w *Wire) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.board.counts
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
func (w *Wire) run(pinned chan<- error) {
	defer close(w.done)
	runtime.LockOSThread() // and never unlock: the thread ends with its affinity
	err := pin()
	pinned <- err
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

// pin keeps the calling thread on one of the processors it may use.
func pin() error {
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
	wait := unix.NsecToTimespec(max(0, time.Until(w.late[0].due)).Nanoseconds())
	return &wait
}
