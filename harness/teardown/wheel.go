package teardown

import "time"

// Late is how much later than it is due a timer of the kernel's may fire that is set
// to go off after d: never earlier. The wheel that it waits in has levels of 64
// buckets, each level eight times as coarse as the one before; it is put into the
// next bucket that begins after it is due (kernel/time/timer.c, calc_wheel_index and
// calc_index). A jiffy more is what a moment may be off the tick before it.
func Late(d, jiffy time.Duration) time.Duration {
	const buckets, coarser = 64, 8
	granule, begins := jiffy, (buckets-1)*jiffy // of the next level
	for d >= begins {
		granule, begins = coarser*granule, coarser*begins
	}
	return granule + jiffy
}
