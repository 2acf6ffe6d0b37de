package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/program/internal/keeper"
)

// pipes are this process's ends of those to the keeper.
type pipes struct{ orders, reports, output *os.File }

func (p *pipes) close() {
	p.orders.Close()
	p.reports.Close()
	p.output.Close()
}

// capacity is what a pipe holds (pipe(7)).
const capacity = 64 << 10

// follow reads what the program prints and what its keeper reports until both have
// ended. What was printed before something was reported is read before that.
func (p *Program) follow(from *pipes, first chan<- keeper.Report) {
	defer close(p.gone)
	defer from.close()
	output, reports := int(from.output.Fd()), int(from.reports.Fd())
	buffer := make([]byte, capacity)
	var unread []byte
	for ended := false; !ended; {
		ready := []unix.PollFd{{Fd: int32(output), Events: unix.POLLIN}, {Fd: int32(reports), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil {
			continue // EINTR
		}
		if ready[0].Revents&unix.POLLIN != 0 {
			p.output.add(buffer[:read(output, buffer)])
		}
		if ready[1].Revents != 0 {
			n := read(reports, buffer)
			ended = n == 0
			unread = p.take(append(unread, buffer[:n]...), first)
		}
	}
	_ = p.keeper.Wait() // which returns when all of its namespace is gone
	for n := -1; n != 0; {
		n = read(output, buffer)
		p.output.add(buffer[:n])
	}
	close(first)
	if !p.hasEnded() {
		p.lost = true
		close(p.done)
	}
}

func (p *Program) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// read returns how many octets it read: 0 at the end.
func read(fd int, buffer []byte) int {
	for {
		n, err := unix.Read(fd, buffer)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0)
		}
	}
}

// take takes the whole lines of the keeper's reports, and returns the rest.
func (p *Program) take(text []byte, first chan<- keeper.Report) (rest []byte) {
	for {
		line, rest, found := bytes.Cut(text, []byte("\n"))
		if !found {
			return text
		}
		text = rest
		var report keeper.Report
		if json.Unmarshal(line, &report) != nil {
			continue // the keeper writes none such
		}
		switch {
		case report.Ended != nil && !p.hasEnded():
			p.ended = *report.Ended
			close(p.done)
		case report.Ended != nil: // of a later process with the command's number
		case report.Left != nil:
			p.left = *report.Left
		default:
			first <- report
		}
	}
}

// A tail keeps the last of what is printed.
type tail struct {
	mu   sync.Mutex
	text []byte
	cut  bool // there was more
}

// kept is how many octets of the output are kept.
const kept = 4 << 10

func (t *tail) add(text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	if more := len(t.text) - kept; more > 0 {
		t.text = append(t.text[:0], t.text[more:]...)
		t.cut = true
	}
}

// String returns whole lines, where there are any.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.text
	if _, lines, _ := bytes.Cut(text, []byte("\n")); t.cut && len(lines) > 0 {
		text = lines
	}
	return string(text)
}
