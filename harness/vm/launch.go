package vm

import (
	"fmt"
	"os"
)

// The descriptors that each QEMU inherits. It opens them by name, so that none has
// to have one of its own.
const (
	consoleFD = 3 + iota
	initFD
	streamFD
	monitorFD
	firstFreeFD
)

// A launch is what QEMU is to be started with: its command line, and further files
// that it inherits.
type launch struct {
	args  []string
	files []*os.File
	disk  *os.File
}

func (l *launch) close() { l.disk.Close() }

func (l *launch) add(args ...string) { l.args = append(l.args, args...) }

// inherit has QEMU inherit a file, and returns the path by which it opens it.
func (l *launch) inherit(f *os.File) string {
	l.files = append(l.files, f)
	return pathOf(firstFreeFD + len(l.files) - 1)
}

func pathOf(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
