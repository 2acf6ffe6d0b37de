package impair

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

// On a kernel that has everything there is nothing to report; on any other, it
// must be said what it lacks.
func TestNetemAvailableNamesWhatIsMissing(t *testing.T) {
	err := NetemAvailable()
	if err == nil {
		return
	}
	var missing *kernel.MissingCapability
	if !errors.As(err, &missing) {
		t.Fatalf("the probe failed by itself: %v", err)
	}
	if missing.Name != "sch_prio" && missing.Name != "sch_netem" && missing.Name != "cls_u32" {
		t.Errorf("it names %q", missing.Name)
	}
}

func TestOnlyTheKernelsAnswerIsRemembered(t *testing.T) {
	missing := &kernel.MissingCapability{Name: "sch_netem", Err: unix.ENOENT}
	for _, settled := range []error{nil, missing} {
		var a answer
		asked := 0
		get := func(now error) error {
			return a.get(func() error { asked++; return now })
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
