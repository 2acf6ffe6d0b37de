package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/finwait/finwait/harness/report"
)

// A screen is written whole lines by several goroutines. Where it is a terminal, it
// also has a last line that is written over again and again: how far each kernel is.
type screen struct {
	mu      sync.Mutex
	out     io.Writer
	columns func() int // of the terminal; nil where there is none
	begun   time.Time
	kernels []*reached
	stop    chan struct{}
}

// reached is how far a kernel is.
type reached struct {
	name string
	report.Progress
}

// newScreen has a last line, from now until close, if out is a terminal.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out, begun: time.Now(), stop: make(chan struct{})}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.columns = func() int {
			columns, _, _ := term.GetSize(int(file.Fd()))
			return columns
		}
		go s.tick()
	}
	return s
}

// tick shows that time goes on where nothing else does.
func (s *screen) tick() {
	each := time.NewTicker(time.Second)
	defer each.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-each.C:
			s.update(func() {})
		}
	}
}

// close removes the last line.
func (s *screen) close() {
	close(s.stop)
	s.update(func() { s.kernels, s.columns = nil, nil })
}

// Write implements io.Writer.
func (s *screen) Write(p []byte) (n int, err error) {
	s.update(func() { n, err = s.out.Write(p) })
	return n, err
}

// notices prints what is to be said of a guest.
func (s *screen) notices(indent string) func(string) {
	return func(notice string) { fmt.Fprintf(s, "%s%s\n", indent, notice) }
}

// begin adds a kernel to the last line; end takes it out.
func (s *screen) begin(name string) *reached {
	k := &reached{name: name}
	s.update(func() { s.kernels = append(s.kernels, k) })
	return k
}

func (s *screen) reach(k *reached, p report.Progress) { s.update(func() { k.Progress = p }) }

func (s *screen) end(k *reached) {
	s.update(func() {
		for i := range s.kernels {
			if s.kernels[i] == k {
				s.kernels = append(s.kernels[:i], s.kernels[i+1:]...)
				return
			}
		}
	})
}

// update does what changes what is to be seen.
func (s *screen) update(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns == nil {
		do()
		return
	}
	fmt.Fprint(s.out, "\r\x1b[K") // back to the line's beginning, and erase it
	do()
	if s.columns != nil {
		fmt.Fprint(s.out, lastLine(s.kernels, time.Since(s.begun), s.columns()))
	}
}

// lastLine says how far each kernel is, what has passed, and what is left: as much
// for each spec that is left as for one that is done, of the kernel that has most.
func lastLine(kernels []*reached, passed time.Duration, columns int) string {
	var parts []string
	var left time.Duration
	for _, k := range kernels {
		if k.Of == 0 {
			parts = append(parts, k.name+" starts")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d/%d", k.name, k.Done, k.Of))
		if k.Done > 0 {
			left = max(left, passed*time.Duration(k.Of-k.Done)/time.Duration(k.Done))
		}
	}
	line := strings.Join(append(parts, clockTime(passed)), "  ")
	if left > 0 {
		line += ", about " + clockTime(left) + " left"
	}
	if len(kernels) == 0 || len(line) >= columns {
		return line[:max(0, min(len(line), columns-1))]
	}
	return line
}

// clockTime is minutes and seconds.
func clockTime(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
