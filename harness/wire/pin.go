package wire

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// opened counts the wires, to spread them over the processors.
var opened atomic.Uint32

// pin keeps the calling thread on one of the processors it may use, and says which.
func pin() (processor int, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("sched_getaffinity: %w", err)
	}
	turn := int(opened.Add(1)) % allowed.Count()
	for ; ; processor++ {
		if !allowed.IsSet(processor) {
			continue
		}
		if turn--; turn < 0 {
			return processor, pinTo(processor)
		}
	}
}

// pinTo keeps the calling thread on one processor.
func pinTo(processor int) error {
	var one unix.CPUSet
	one.Set(processor)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}

// hurry has the calling thread run before everything of ordinary priority, so that
// frames do not wait where other programs keep every processor busy (sched(7),
// SCHED_FIFO). That is not allowed to everybody: without CAP_SYS_NICE, or where
// the control group has no real-time share, the thread waits for its turn, and
// Counts says how long.
func hurry() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
}
