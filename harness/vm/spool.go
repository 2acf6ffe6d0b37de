package vm

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// pace is the least time between two reads. QEMU writes a serial port byte by
// byte, and to wake a reader for each costs it more than the write: 2 MB took
// 7 s without the pause and 5 s with it.
const pace = time.Millisecond

// A spool reads ahead as far as there is something to read, so that a guest
// never waits for those who read its output: its virtual clock would run away.
type spool struct {
	mu    sync.Mutex
	more  sync.Cond
	ahead bytes.Buffer
	err   error // of the source; set when it has ended
}

// newSpool begins to read from source, calls read each time there was something
// and closes source at its end.
func newSpool(source io.ReadCloser, read func()) *spool {
	s := &spool{}
	s.more.L = &s.mu
	go func() {
		defer source.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := source.Read(buffer)
			if n > 0 {
				read()
			}
			s.add(buffer[:n], err)
			if err != nil {
				return
			}
			time.Sleep(pace) //nolint:forbidigo // it waits for nothing, it lets more come together
		}
	}()
	return s
}

func (s *spool) add(p []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead.Write(p)
	s.err = err
	s.more.Signal()
}

// Read waits until there is something to read or the source has ended.
func (s *spool) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.ahead.Len() == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.more.Wait()
	}
	return s.ahead.Read(p)
}
