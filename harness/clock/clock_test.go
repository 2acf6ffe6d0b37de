package clock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestJiffy(t *testing.T) {
	if jiffy := Jiffy(); jiffy < time.Millisecond || jiffy > 10*time.Millisecond {
		t.Errorf("a jiffy is %v, and a kernel ticks 100 to 1000 times a second", jiffy)
	}
}

func TestRealtimeStampsLandBetweenMonotonicReadings(t *testing.T) {
	offset := MeasureOffset()
	before := Now()
	stamp := read(unix.CLOCK_REALTIME)
	after := Now()
	slack := Instant(offset.Uncertainty)
	if got := offset.Monotonic(stamp); got < before-slack || got > after+slack {
		t.Fatalf("a stamp taken between %d and %d was brought over as %d", before, after, got)
	}
}

func TestDisturbed(t *testing.T) {
	base := Offset{ahead: 1_000_000_000, Uncertainty: 100}
	const explained = Tolerance + 200 // with what is uncertain about both
	for _, moved := range []time.Duration{0, explained, -explained} {
		if err := Disturbed(base, Offset{ahead: base.ahead + int64(moved), Uncertainty: 100}); err != nil {
			t.Errorf("%v, which the measurement explains: %v", moved, err)
		}
	}
	for _, moved := range []time.Duration{explained + 1, -explained - 1, time.Hour} {
		if Disturbed(base, Offset{ahead: base.ahead + int64(moved), Uncertainty: 100}) == nil {
			t.Errorf("a clock set by %v went unnoticed", moved)
		}
	}
	if err := Disturbed(base, Offset{ahead: base.ahead + int64(time.Millisecond), Uncertainty: time.Millisecond}); err != nil {
		t.Errorf("what an interrupted measurement explains was taken for a disturbance: %v", err)
	}
}
