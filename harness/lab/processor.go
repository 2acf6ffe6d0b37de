package lab

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pinned counts the threads, to spread them over the processors.
var pinned atomic.Uint32

// Pin keeps the calling thread on one of the processors it may use, and says which.
// What is sent on one processor waits in that processor's queue, and is received in
// the order sent (net/core/dev.c, enqueue_to_backlog).
func Pin() (processor int, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("sched_getaffinity: %w", err)
	}
	turn := int(pinned.Add(1)) % allowed.Count()
	for ; ; processor++ {
		if !allowed.IsSet(processor) {
			continue
		}
		if turn--; turn < 0 {
			return processor, PinTo(processor)
		}
	}
}

// PinTo keeps the calling thread on one processor.
func PinTo(processor int) error {
	var one unix.CPUSet
	one.Set(processor)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}
