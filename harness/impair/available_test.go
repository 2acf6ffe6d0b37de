package impair

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// On a kernel that has everything there is nothing to report; on any other, it
// must be said what it lacks.
func TestWhatIsMissingIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		available func() error
		needs     []string
	}{
		"hold":    {HoldAvailable, []string{"sch_prio", "sch_netem", "cls_u32"}},
		"reorder": {ReorderAvailable, []string{"sch_netem"}},
	} {
		err := c.available()
		if err == nil {
			continue
		}
		var missing *kernel.MissingCapability
		if !errors.As(err, &missing) {
			t.Fatalf("%s: the probe failed by itself: %v", name, err)
		}
		if !slices.Contains(c.needs, missing.Name) {
			t.Errorf("%s: it names %q", name, missing.Name)
		}
	}
}

func TestOnlyTheKernelsAnswerIsRemembered(t *testing.T) {
	missing := &kernel.MissingCapability{Name: "sch_netem", Err: unix.ENOENT}
	for _, settled := range []error{nil, missing} {
		var a answer
		asked := 0
		get := func(now error) error {
			return a.get(func(*lab.Host, int) error { asked++; return now })
		}
		for range 2 {
			if err := get(unix.EMFILE); !errors.Is(err, unix.EMFILE) {
				t.Errorf("got %v, want %v", err, unix.EMFILE)
			}
		}
		for range 2 {
			if err := get(settled); err != settled { //nolint:errorlint // the very value is meant
				t.Errorf("got %v, want %v", err, settled)
			}
		}
		if asked != 3 {
			t.Errorf("the kernel was asked %d times, want 3", asked)
		}
	}
}
