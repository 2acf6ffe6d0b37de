package wire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/segment"
)

// largest is more than any frame on a link without offloads.
const largest = 64 << 10

// relay passes on everything that has come in, and what is due. open is false
// once the wire is to be closed.
func (w *Wire) relay() (open bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return false, nil
	}
	if err := w.sendDue(); err != nil {
		return true, err
	}
	for _, from := range segment.Sides {
		if err := w.drain(from); err != nil {
			return true, err
		}
	}
	return true, nil
}

// turn is how many frames of one side are passed on before it is the other's
// turn.
const turn = 64

// drain passes on what one side has sent. What is left after its turn wakes the
// wire again at once.
func (w *Wire) drain(from segment.Side) error {
	for range turn {
		n, sender, err := unix.Recvfrom(w.ports[from], w.buffer, unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("receive from the %v: %w", from, err)
		case n > len(w.buffer):
			return fmt.Errorf("receive from the %v: a frame of %d octets: offloads are on", from, n)
		}
		if link, ok := sender.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue // the wire's own
		}
		f, goesOn := w.board.enter(frame{from: from, octets: w.buffer[:n]})
		switch {
		case !goesOn:
		case f.later() > 0:
			w.putBy(f, time.Now().Add(f.later()))
		default:
			err = w.leave(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putBy keeps a frame until its time has come.
func (w *Wire) putBy(f frame, due time.Time) {
	l := delayed{frame: f.keep(), due: due}
	i, _ := slices.BinarySearchFunc(w.late, l, func(a, b delayed) int {
		return cmp.Or(a.due.Compare(b.due), -1) // behind those due at the same time
	})
	w.late = slices.Insert(w.late, i, l)
}

// sendDue sends the delayed frames whose time has come.
func (w *Wire) sendDue() error {
	for len(w.late) > 0 && !w.late[0].due.After(time.Now()) {
		f := w.late[0].frame
		w.late = w.late[1:]
		if err := w.leave(f); err != nil {
			return err
		}
	}
	return nil
}

// leave sends a frame that has come to the other end, and what waits for it.
func (w *Wire) leave(f frame) error {
	for _, out := range w.board.leave(f) {
		if err := w.send(out); err != nil {
			return err
		}
	}
	return nil
}

// send delivers a frame to the side that it was meant for. Where the kernel has
// not yet taken what was sent before, it waits until it has.
func (w *Wire) send(f frame) error {
	to := f.from.Peer()
	for {
		// The socket is bound: it knows its link.
		_, err := unix.Write(w.ports[to], f.octets)
		switch {
		case errors.Is(err, unix.EAGAIN):
			ready := []unix.PollFd{{Fd: int32(w.ports[to]), Events: unix.POLLOUT}}
			if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("wait to send to the %v: %w", to, err)
			}
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("send %d octets to the %v: %w", len(f.octets), to, err)
		default:
			return nil
		}
	}
}
