package vm

import (
	"bytes"
	"io"
	"strings"
)

// So much of the console's end is kept for errors: a panic that follows an oops
// has some seventy lines, of which the first tells the most.
const (
	consoleLines   = 80
	consoleColumns = 240
)

// A console is written what the guest prints, passes it on by the line and
// remembers what an error needs.
type console struct {
	out   io.Writer // may be nil
	line  []byte    // what has come of the current line
	last  []string
	panic string // the reason of the kernel's panic
}

// Write never fails: a reader of the console that gives up does not stop the
// guest.
func (c *console) Write(p []byte) (int, error) {
	n := len(p)
	for {
		begin, rest, found := bytes.Cut(p, []byte("\n"))
		c.line = append(c.line, begin...)
		if !found {
			return n, nil
		}
		c.endLine()
		p = rest
	}
}

// close ends a line that the guest left unfinished.
func (c *console) close() {
	if len(c.line) > 0 {
		c.endLine()
	}
}

func (c *console) endLine() {
	line := strings.TrimRight(string(c.line), "\r")
	c.line = c.line[:0]
	if c.out != nil {
		_, _ = io.WriteString(c.out, line+"\n")
	}
	if reason, ok := panicReason(line); ok && c.panic == "" {
		c.panic = reason
	}
	if len(c.last) == consoleLines {
		c.last = c.last[1:]
	}
	c.last = append(c.last, line[:min(len(line), consoleColumns)])
}

// panicReason finds what panic() in kernel/panic.c prints first.
func panicReason(line string) (reason string, ok bool) {
	_, reason, ok = strings.Cut(line, "Kernel panic - not syncing: ")
	return reason, ok
}
