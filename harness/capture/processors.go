package capture

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// onEveryProcessor runs f once on each processor that the process may use. The
// thread that it borrows dies with its affinity if that cannot be restored.
func onEveryProcessor(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var allowed unix.CPUSet
		if err := unix.SchedGetaffinity(0, &allowed); err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("sched_getaffinity: %w", err)
			return
		}
		err := visit(allowed, f)
		if unix.SchedSetaffinity(0, &allowed) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

func visit(allowed unix.CPUSet, f func() error) error {
	left := allowed.Count()
	for cpu := 0; left > 0; cpu++ {
		if !allowed.IsSet(cpu) {
			continue
		}
		left--
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("sched_setaffinity to processor %d: %w", cpu, err)
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
