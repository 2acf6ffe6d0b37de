package wire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
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
	if err := w.sendReleased(); err != nil {
		return true, err
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

// drain takes in what one side has sent. What is left after its turn wakes the
// wire again at once.
func (w *Wire) drain(from segment.Side) error {
	for range turn {
		n, came, own, err := receive(w.ports[from], w.buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR) || own:
			continue
		case err != nil:
			return fmt.Errorf("receive from the %v: %w", from, err)
		}
		if err := w.enter(frame{from: from, octets: w.buffer[:n], came: came}); err != nil {
			return err
		}
	}
	return nil
}

// enter has a frame set out for the other end. It never gets there before one
// that has set out earlier, if no rule delays that.
func (w *Wire) enter(f frame) error {
	if w.hand != nil && w.hand.takes(f) {
		return nil
	}
	f, goesOn := w.board.enter(f)
	if !goesOn {
		return nil
	}
	if w.oneWay == 0 && f.later() == 0 {
		return w.leave(f)
	}
	last := &w.last[f.from]
	*last = max(*last, f.came.Add(w.oneWay))
	w.setOut(dated{frame: f.keep(), due: last.Add(f.later())})
	return nil
}

// setOut puts a frame among those under way.
func (w *Wire) setOut(d dated) {
	i, _ := slices.BinarySearchFunc(w.underWay, d, func(a, b dated) int {
		return cmp.Or(cmp.Compare(a.due, b.due), -1) // behind those due at the same time
	})
	w.underWay = slices.Insert(w.underWay, i, d)
}

// sendReleased sends what was held and has been released. The relaying thread does it,
// so that it comes behind what it has sent before.
func (w *Wire) sendReleased() error {
	if !w.releasing {
		return nil
	}
	w.releasing = false
	if _, err := unix.Read(w.wake, make([]byte, 8)); err != nil {
		return fmt.Errorf("read the eventfd that woke the wire: %w", err)
	}
	return w.sendAll(w.board.released())
}

// sendDue sends the frames whose time has come.
func (w *Wire) sendDue() error {
	for len(w.underWay) > 0 && w.underWay[0].due <= clock.Now() {
		f := w.underWay[0].frame
		w.underWay = w.underWay[1:]
		if err := w.leave(f); err != nil {
			return err
		}
	}
	return nil
}

// leave sends a frame that has come to the other end, and what waits for it.
func (w *Wire) leave(f frame) error {
	leaving := w.board.leave(f)
	if len(leaving) == 0 {
		w.note(f) // from here on a rule keeps it; what it waited before, it waited for the wire
	}
	if err := w.sendAll(leaving); err != nil {
		return err
	}
	return w.sendAll(w.board.letGo(f))
}

func (w *Wire) sendAll(frames []frame) error {
	for _, f := range frames {
		if err := w.send(f); err != nil {
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
			w.note(f)
			return nil
		}
	}
}

// note measures the stay of a frame that has been sent on, or that a rule begins
// to keep.
func (w *Wire) note(f frame) {
	if !f.kept {
		stay := clock.Now().Sub(f.came) - w.oneWay - f.later()
		w.board.counts.LongestStay = max(w.board.counts.LongestStay, stay)
	}
}
