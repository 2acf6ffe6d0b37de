package main

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// keepAwake has the processor do something whenever there is nothing to do, until
// sleep is called: the virtual clock of a processor that waits for the host's disk
// would run ahead by seconds.
func keepAwake() (sleep func()) {
	var done atomic.Bool
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its policy
		// Whatever else there is to do comes first (sched(7), SCHED_IDLE).
		_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
		close(started)
		for !done.Load() {
		}
	}()
	<-started
	return func() { done.Store(true) }
}
