package lab

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAwaitEnds(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	host := mustHost(t, l, "a")
	links, err := host.subscribe(unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(links.close)
	lo, err := host.Netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	up := false
	for name, other := range map[string]func() error{
		"in silence": func() error { return nil },
		// Each event that is looked at brings about the next.
		"under a stream of other events": func() error {
			if up = !up; up {
				return host.Netlink.LinkSetUp(lo)
			}
			return host.Netlink.LinkSetDown(lo)
		},
	} {
		const within = 20 * time.Millisecond
		ended := make(chan error, 1)
		go func() {
			if err := other(); err != nil {
				ended <- err
				return
			}
			ended <- links.await(within, "what never comes", func(syscall.NetlinkMessage) (bool, error) {
				return false, other()
			})
		}()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "what never comes") || !strings.Contains(err.Error(), within.String()) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(eventDeadline):
			t.Fatalf("%s: the wait did not end", name)
		}
	}
}
