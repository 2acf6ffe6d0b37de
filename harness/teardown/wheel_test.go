package teardown

import (
	"testing"
	"time"
)

// The figures are those of the table at the head of kernel/time/timer.c: with 250
// ticks a second, level 1 begins at 252 ms and counts in 32 ms, and so on.
func TestHowLateATimerMayFire(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct{ jiffy, due, late time.Duration }{
		{4 * ms, 0, 4 * ms},
		{4 * ms, 204 * ms, 4 * ms},
		{4 * ms, 248 * ms, 4 * ms},
		{4 * ms, 252 * ms, 32 * ms},
		{4 * ms, 2012 * ms, 32 * ms},
		{4 * ms, 2016 * ms, 256 * ms},
		{4 * ms, 16124 * ms, 256 * ms},
		{4 * ms, 16128 * ms, 2048 * ms},
		{4 * ms, 120 * time.Second, 2048 * ms},
		{ms, 60 * time.Second, 4096 * ms},
		{10 * ms, 60 * time.Second, 5120 * ms},
	} {
		if got, want := Late(c.due, c.jiffy), c.late+c.jiffy; got != want {
			t.Errorf("a timer of %v by ticks of %v: %v late, want %v", c.due, c.jiffy, got, want)
		}
	}
}
