package ladder

import (
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

func goesFrom(from segment.Side, left, at time.Duration) teardown.Event {
	return teardown.Event{By: from, Text: ". 1:1(0) ack 1", IsSegment: true, Left: left, At: at}
}

func TestTimeRunsDown(t *testing.T) {
	for name, trial := range trials(t) {
		if trial.Exchange == nil || name == "unlikely" {
			continue
		}
		var last float64
		var before time.Duration
		l := layAll([][]teardown.Event{trial.Timeline()}, false)[0]
		for _, r := range l.rungs {
			if r.arrives < last || r.at < before {
				t.Errorf("%s: %s of %v is drawn at %.1f, below what came at %v at %.1f", name, r.Text, r.at, r.arrives, before, last)
			}
			if r.IsSegment && r.leaves >= r.arrives {
				t.Errorf("%s: %s arrives at %.1f before it leaves at %.1f", name, r.Text, r.arrives, r.leaves)
			}
			last, before = r.arrives, r.at
		}
		if last > l.height {
			t.Errorf("%s: %.1f is below the end, %.1f", name, last, l.height)
		}
	}
}

func TestSegmentsCrossWhereTheyCross(t *testing.T) {
	for _, test := range []struct {
		name  string
		other teardown.Event
		cross bool
	}{
		{"sent before the other arrived", goesFrom(segment.Server, 30, 120), true},
		{"sent after the other arrived", goesFrom(segment.Server, 110, 120), false},
	} {
		l := layAll([][]teardown.Event{{{Text: "close()"}, goesFrom(segment.Client, 10, 100), test.other}}, false)[0]
		a, b := l.rungs[1], l.rungs[2]
		if cross := a.leaves < b.arrives && b.leaves < a.arrives; cross != test.cross {
			t.Errorf("%s: from %.1f to %.1f and from %.1f to %.1f: they cross: %v", test.name, a.leaves, a.arrives, b.leaves, b.arrives, cross)
		}
	}
}

// Where no state tells when a segment was made, it leaves with what overtakes it, and
// is passed all the same.
func TestWhatIsOvertakenLeavesFirst(t *testing.T) {
	slow := goesFrom(segment.Client, 10, 100)
	slow.Overtaken = true
	l := layAll([][]teardown.Event{{{Text: "close()"}, goesFrom(segment.Client, 10, 20), slow}}, false)[0]
	if fast, slow := l.rungs[1], l.rungs[2]; slow.leaves >= fast.leaves || slow.arrives <= fast.arrives {
		t.Errorf("one goes from %.1f to %.1f, and overtakes one that goes from %.1f to %.1f", fast.leaves, fast.arrives, slow.leaves, slow.arrives)
	}
}

func TestScale(t *testing.T) {
	µs := time.Microsecond
	for _, test := range []struct {
		name    string
		moments []time.Duration
		wait    time.Duration
		folds   bool
	}{
		{"no longer than the rest", []time.Duration{0, 30 * µs, 60 * µs, 90 * µs}, 30 * µs, false},
		{"three times as long", []time.Duration{0, 30 * µs, 60 * µs, 90 * µs}, 90 * µs, false},
		{"a thousand times as long", []time.Duration{0, 30 * µs, 60 * µs, 30 * time.Millisecond}, 30 * time.Millisecond, true},
		{"nothing else to hold it against", []time.Duration{0, time.Hour}, time.Hour, false},
		{"no moments at all", nil, 100 * time.Millisecond, true},
	} {
		if s := scaleOf(test.moments); s.folds(float64(test.wait)) != test.folds {
			t.Errorf("%s: %v is folded: %v", test.name, test.wait, !test.folds)
		}
	}
	s := scaleOf([]time.Duration{0, 30 * µs})
	if one, two := s.height(30e3), s.height(60e3); two != 2*one {
		t.Errorf("60 µs are %.1f high, 30 µs %.1f", two, one)
	}
	heights := []float64{s.height(200e3), s.height(60e6), s.height(200e6), s.height(100e9)}
	if !slices.IsSorted(heights) || heights[3] > 200 {
		t.Errorf("200 µs, 60 ms, 200 ms and 100 s are %.0f high", heights)
	}
}

func TestFoldsSayWhatWasLost(t *testing.T) {
	l := layAll([][]teardown.Event{timeline(theCase(t, true))}, false)[0]
	var main int
	for _, f := range l.folds {
		lost := f.from >= 60*time.Millisecond
		if (f.cost != nil) != lost {
			t.Errorf("from %v to %v: lost: %v", f.from, f.to, f.cost != nil)
		}
		if f.main {
			main++
		}
		for _, r := range l.rungs {
			for _, y := range []float64{r.leaves, r.arrives} {
				if f.top < y && y < f.bottom {
					t.Errorf("%s is at %.1f, within the fold from %.1f to %.1f", r.Text, y, f.top, f.bottom)
				}
			}
		}
	}
	if len(l.folds) != 2 || main != 1 {
		t.Errorf("there are %d folds, and %d tell of what was lost", len(l.folds), main)
	}
}

func TestInShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 µs", 575999: "575 µs", 1114 * time.Microsecond: "1.11 ms", 60052 * time.Microsecond: "60.05 ms",
		207753 * time.Microsecond: "207.8 ms", 27136 * time.Millisecond: "27.14 s", 120 * time.Second: "120.0 s", 7200 * time.Second: "7200 s",
	} {
		if got := inShort(d); got != want {
			t.Errorf("%d ns: got %s, want %s", d, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    []string
	}{
		{"", 5, nil},
		{"a b", 5, []string{"a b"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"abcdefgh ij", 5, []string{"abcde", "fgh", "ij"}},
		{"overtaken-fin/ipv4", 16, []string{"overtaken-fin/", "ipv4"}},
		{"µµµ/µµµ", 5, []string{"µµµ/", "µµµ"}},
		{"ab", 0, []string{"a", "b"}},
	} {
		if got := wrap(test.text, test.columns); !slices.Equal(got, test.want) {
			t.Errorf("%q in %d columns: got %q, want %q", test.text, test.columns, got, test.want)
		}
	}
}
