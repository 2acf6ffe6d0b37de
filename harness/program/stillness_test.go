package program

import (
	"net/netip"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/clock"
)

// Servers open one listener after another, and each is another beginning.
func TestStillness(t *testing.T) {
	one := listener{AddrPort: netip.MustParseAddrPort("0.0.0.0:8080")}
	two := listener{AddrPort: netip.MustParseAddrPort("[::]:8080")}
	only6 := listener{AddrPort: two.AddrPort, only6: true}
	var s stillness
	for i, c := range []struct {
		at   clock.Instant
		on   []listener
		want time.Duration
	}{
		{at: 100, on: nil, want: 0},
		{at: 200, on: nil, want: 0},
		{at: 300, on: []listener{one}, want: 0},
		{at: 390, on: []listener{one}, want: 90},
		{at: 400, on: []listener{one, two}, want: 0},
		{at: 470, on: []listener{one, two}, want: 70},
		{at: 480, on: []listener{one, only6}, want: 0},
		{at: 500, on: []listener{one}, want: 0},
		{at: 520, on: nil, want: 0},
		{at: 530, on: []listener{one}, want: 0},
		{at: 630, on: []listener{one}, want: 100},
	} {
		if got := s.lasts(c.on, c.at); got != c.want {
			t.Errorf("step %d, at %d on %v: %v, want %v", i, c.at, c.on, got, c.want)
		}
	}
}
