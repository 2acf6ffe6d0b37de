package impair

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// HoldAvailable reports whether HoldFIN works on the running kernel, by doing on
// the loopback of a namespace of its own what HoldFIN does. It returns a
// *kernel.MissingCapability where the kernel refuses. What the kernel has once
// answered is not asked again; any other error is for that call only.
func HoldAvailable() error {
	return holds.get(func(host *lab.Host, link int) error {
		nowhere := netip.MustParseAddrPort("192.0.2.1:1")
		return installHold(host, link, nowhere, nowhere, time.Millisecond)
	})
}

// ReorderAvailable reports the same of HoldAllBut.
func ReorderAvailable() error {
	return reorders.get(func(host *lab.Host, link int) error {
		return installReorder(host, link, 2, time.Millisecond)
	})
}

var holds, reorders answer

// tryOut does something to the loopback of a new namespace.
func tryOut(do func(host *lab.Host, link int) error) error {
	l := lab.New()
	defer l.Close()
	host, err := l.Host("probe")
	if err != nil {
		return err
	}
	lo, err := host.Netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback of a new namespace: %w", err)
	}
	return do(host, lo.Attrs().Index)
}

// An answer remembers what a probe found the kernel to have or to lack.
type answer struct {
	mu    sync.Mutex
	known bool
	err   error
}

func (a *answer) get(probe func(host *lab.Host, link int) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known {
		return a.err
	}
	err := tryOut(probe)
	var missing *kernel.MissingCapability
	if err == nil || errors.As(err, &missing) {
		a.known, a.err = true, err
	}
	return err
}
