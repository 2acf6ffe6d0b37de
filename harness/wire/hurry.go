package wire

import "golang.org/x/sys/unix"

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
