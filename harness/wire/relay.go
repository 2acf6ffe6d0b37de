package wire

import (
	"errors"
	"fmt"
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

// drain passes on what one side has sent.
func (w *Wire) drain(from segment.Side) error {
	for {
		n, _, err := unix.Recvfrom(w.ports[from], w.buffer, unix.MSG_TRUNC)
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
		for _, d := range w.board.take(frame{from: from, octets: w.buffer[:n]}) {
			if d.after > 0 {
				w.late = append(w.late, delayed{frame: d.frame, due: time.Now().Add(d.after)})
				continue
			}
			if err := w.send(d.frame); err != nil {
				return err
			}
		}
	}
}

// sendDue sends the delayed frames whose time has come.
func (w *Wire) sendDue() error {
	now := time.Now()
	waiting := w.late[:0]
	for _, l := range w.late {
		if l.due.After(now) {
			waiting = append(waiting, l)
			continue
		}
		if err := w.send(l.frame); err != nil {
			return err
		}
	}
	w.late = waiting
	return nil
}

// send delivers a frame to the side that it was meant for.
func (w *Wire) send(f frame) error {
	to := f.from.Peer()
	// The socket is bound: it knows its link.
	_, err := unix.Write(w.ports[to], f.octets)
	if err != nil {
		return fmt.Errorf("send %d octets to the %v: %w", len(f.octets), to, err)
	}
	return nil
}
