// Package events records what the kernel reports of a TCP connection as it
// happens: changes of state, retransmissions, resets, and segments dropped, with
// the kernel's reason. It does so by BPF programs that are assembled here, for
// the kernel that is running.
package events

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

// A Recorder records the events of every connection that is watched. One is
// enough for a process: opening it is dear, a Watch is not.
//
// sock_ops programs belong to a cgroup. This one is linked to the cgroup that
// the process is in already, and looks only at sockets whose peer has one of the
// addresses that labs use. A cgroup of its own would survive a SIGKILL of the
// process as an empty folder, would have the process move, and needs a
// hierarchy that may be written to; the link, like the programs, the maps and
// the tracepoints' hooks, goes when its last descriptor is closed. Connections
// are told apart by the socket's cookie (socket(7), SO_COOKIE), as labs side by
// side have the same addresses and may have the same ports.
type Recorder struct {
	lost    *ebpf.Map
	ring    *ebpf.Map
	watched *ebpf.Map // cookies and numbers of namespaces, which are far apart
	drain   *ringbuf.Reader
	hooks   []*hook
	missing map[Source]error

	mu      sync.Mutex
	reader  reader
	watches map[*Watch]struct{}
}

// A Watch collects the events of one socket.
type Watch struct {
	recorder *Recorder
	socket   socket
	before   uint64 // what was lost before it began
	events   []Event
}

// A Recording is what a Watch has collected.
type Recording struct {
	// Events are in the order in which they were reported. For a socket that is
	// the order in which they happened, as it is locked meanwhile; a drop may be
	// reported on another processor at the same time, and has only its time.
	Events []Event
	// Lost counts the events, of any connection, for which there was no room since
	// the Watch began, and those at which the kernel did not run a program because
	// it had been interrupted in the same one (kernel/trace/bpf_trace.c,
	// __bpf_trace_run; counted since Linux 5.12). If it is not 0, some of this one's
	// may be missing.
	Lost uint64
}

// Watch begins to collect the events of a socket with the cookie on host, and of
// segments that host gets or drops between the two addresses. sock_ops knows only
// connections that were established after Open.
func (r *Recorder) Watch(host *lab.Host, local, remote netip.AddrPort, cookie uint64) (*Watch, error) {
	var namespace unix.Stat_t
	if err := unix.Fstat(host.FD(), &namespace); err != nil {
		return nil, fmt.Errorf("watch the connection from %v to %v: identify the namespace of %s: %w", local, remote, host.Name, err)
	}
	w := &Watch{recorder: r, socket: socket{
		cookie: cookie, netns: uint32(namespace.Ino), local: flat(local), remote: flat(remote),
	}}
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if w.before, err = r.update(); err != nil {
		return nil, err
	}
	for _, key := range w.keys() {
		if r.watched == nil {
			break // no source
		}
		if err := r.watched.Put(key, uint8(1)); err != nil {
			return nil, fmt.Errorf("watch the connection from %v to %v: %w", local, remote, err)
		}
	}
	r.watches[w] = struct{}{}
	return w, nil
}

// keys are what the programs look for.
func (w *Watch) keys() [2]uint64 { return [2]uint64{w.socket.cookie, uint64(w.socket.netns)} }

// flat makes an IPv4 address and the same address mapped into IPv6 compare
// equal.
func flat(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Recording returns what was reported until now. The kernel reports an event
// while it happens, so for a segment that is known to have been handled, the
// recording is complete.
func (w *Watch) Recording() (Recording, error) {
	r := w.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	lost, err := r.update()
	if err != nil {
		return Recording{}, err
	}
	return Recording{Events: slices.Clone(w.events), Lost: lost - w.before}, nil
}

// Close ends the Watch. It may be called again.
func (w *Watch) Close() {
	w.recorder.mu.Lock()
	defer w.recorder.mu.Unlock()
	delete(w.recorder.watches, w)
	inUse := map[uint64]bool{}
	for other := range w.recorder.watches {
		for _, key := range other.keys() {
			inUse[key] = true
		}
	}
	for _, key := range w.keys() {
		if !inUse[key] && w.recorder.watched != nil {
			_ = w.recorder.watched.Delete(key) // it may be gone already
		}
	}
}

// update hands out what is in the ring to the watches and returns how many
// events have not found room in it so far.
func (r *Recorder) update() (lost uint64, err error) {
	if r.drain == nil {
		return 0, nil // no source
	}
	var sample ringbuf.Record
	for {
		err := r.drain.ReadInto(&sample)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if r.drain.AvailableBytes() == 0 {
				break
			}
			runtime.Gosched() // a program is about to hand over what it has written
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read what the kernel reported: %w", err)
		}
		rec, about := r.reader.open(sample.RawSample)
		for w := range r.watches {
			if w.socket.concerns(rec, about) {
				w.events = append(w.events, r.reader.event(rec, about))
			}
		}
	}
	if err := r.lost.Lookup(uint32(0), &lost); err != nil {
		return 0, fmt.Errorf("read how many events were lost: %w", err)
	}
	for _, h := range r.hooks {
		stats, err := h.program.Stats()
		if err != nil {
			return 0, fmt.Errorf("read how many events %s missed: %w", h.source, err)
		}
		lost += stats.RecursionMisses
	}
	return lost, nil
}

// Missing says which sources the running kernel does not have for this process,
// and why: each error wraps a *kernel.MissingCapability.
func (r *Recorder) Missing() map[Source]error { return r.missing }

// Close takes everything out of the kernel. It may be called again.
func (r *Recorder) Close() {
	for _, h := range r.hooks {
		h.close()
	}
	if r.drain != nil {
		r.drain.Close()
	}
	r.ring.Close()
	r.watched.Close()
	r.lost.Close()
}

// past is a deadline that makes the ring's reader return when it is empty.
var past = time.Unix(1, 0)
