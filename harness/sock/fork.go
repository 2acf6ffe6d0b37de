package sock

import (
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A fork copies every descriptor of the process, and the copies last until the
// exec that follows. A close(2) in between is not the last, so it sends no FIN:
// that is left to the exec. Hence sockets are closed while nobody forks.
//
// starting is held for writing from when this package starts a process until that
// says that it runs, because syscall.ForkLock is given back too early: once the
// kernel lets the parent run again, which is before it closes the child's copies
// (fs/exec.c, begin_new_exec: exec_mmap comes before do_close_on_exec). Nor is the
// exec over when os/exec says so: it waits for the end of a pipe, whose copy is
// closed before those with higher numbers are (fs/file.c, do_close_on_exec).
var starting sync.RWMutex

// closeUnforked closes the socket while nobody forks. A close that lingers may
// take long, and others may fork as soon as it has begun: the descriptor is
// then no longer there to be copied.
func (s *socket) closeUnforked() error {
	var (
		number int
		socket unix.Stat_t
	)
	if err := s.control(func(fd int) error {
		number = fd
		return unix.Fstat(fd, &socket)
	}); err != nil {
		return err
	}
	starting.RLock()
	syscall.ForkLock.RLock()
	go func() {
		defer starting.RUnlock()
		defer syscall.ForkLock.RUnlock()
		// The number may be another file's at once.
		for now := (unix.Stat_t{}); unix.Fstat(number, &now) == nil && now.Dev == socket.Dev && now.Ino == socket.Ino; {
			runtime.Gosched()
		}
	}()
	return s.file.Close()
}
