// Package clock gives everything that finwait records one clock:
// CLOCK_MONOTONIC, the clock the kernel's own timers run on, which nobody can
// set back.
package clock

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// An Instant is a moment on CLOCK_MONOTONIC, in nanoseconds since boot
// (without the time the machine was suspended). Instants of different
// processes of one machine can be compared; those of different machines can't.
type Instant int64

// Now returns the present moment.
func Now() Instant { return Instant(read(unix.CLOCK_MONOTONIC)) }

// Sub returns the time from earlier to i.
func (i Instant) Sub(earlier Instant) time.Duration { return time.Duration(i - earlier) }

// Add returns the moment so much later than i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// An Offset tells how far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. Packet
// sockets stamp frames with CLOCK_REALTIME only (net/core/sock.c,
// __sock_recv_timestamp), so their stamps have to be brought over.
type Offset struct {
	ahead int64
	// Uncertainty bounds the error of one measurement: the time that passed
	// between the two readings around it. Some hundred nanoseconds on an idle
	// machine.
	Uncertainty time.Duration
}

// attempts is how often MeasureOffset reads the clocks; the reading that was
// interrupted the least is kept.
const attempts = 5

// MeasureOffset reads both clocks side by side.
func MeasureOffset() Offset {
	best := Offset{Uncertainty: time.Duration(1<<63 - 1)}
	for range attempts {
		before := read(unix.CLOCK_MONOTONIC)
		wall := read(unix.CLOCK_REALTIME)
		after := read(unix.CLOCK_MONOTONIC)
		if spread := time.Duration(after - before); spread < best.Uncertainty {
			best = Offset{ahead: wall - (before + (after-before)/2), Uncertainty: spread}
		}
	}
	return best
}

// Monotonic brings a CLOCK_REALTIME stamp, in nanoseconds since 1970, over.
func (o Offset) Monotonic(realtime int64) Instant { return Instant(realtime - o.ahead) }

// Tolerance is how far two measurements may be apart, beyond their own
// Uncertainty, before the stamps between them are no longer trusted. What is
// left of a measurement's error, the rounding of two clocks and processors
// whose counters are not quite in step, is far below it; and a step that is not
// noticed, at most a quarter of the shortest jiffy (1 ms), is too small to be
// taken for a timer's work.
const Tolerance = 250 * time.Microsecond

// Disturbed returns an error, which says by how much, if CLOCK_REALTIME stepped
// against CLOCK_MONOTONIC between two measurements: it was set, or the machine
// was suspended. NTP's slewing is not seen, and does no harm: both clocks are
// read off one timekeeper, and it moves them alike (kernel/time/timekeeping.c).
func Disturbed(before, after Offset) error {
	moved := time.Duration(after.ahead - before.ahead).Abs()
	if moved <= Tolerance+before.Uncertainty+after.Uncertainty {
		return nil
	}
	return fmt.Errorf("CLOCK_REALTIME moved by %v against CLOCK_MONOTONIC while segments were stamped with it: it was set, or the machine suspended", moved)
}

// Jiffy is a tick of the kernel's timers (CONFIG_HZ): what its coarse clock counts in
// (kernel/time/posix-timers.c, posix_get_coarse_res).
func Jiffy() time.Duration {
	var tick unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil {
		panic(fmt.Sprintf("clock_getres(%d): %v", unix.CLOCK_MONOTONIC_COARSE, err)) // it exists since Linux 2.6.32
	}
	return time.Duration(tick.Nano())
}

func read(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime(%d): %v", id, err)) // both clocks exist on every Linux
	}
	return ts.Nano()
}
