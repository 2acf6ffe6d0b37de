package capture

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/finwait/finwait/harness/lab"
)

// row is two links between three hosts, and the ends of the outer ones and of the
// one in the middle.
func row(t *testing.T, near, far [2]string) (outer, inner [2]*lab.End) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	var hosts [3]*lab.Host
	for i, name := range []string{"a", "b", "between"} {
		var err error
		if hosts[i], err = l.Host(name); err != nil {
			t.Fatal(err)
		}
	}
	for i, addresses := range [2][2]string{near, far} {
		plugs := [2]lab.Plug{{Host: hosts[2], Name: hosts[i].Name}, {Host: hosts[i], Name: "eth0"}}
		for j, address := range addresses {
			if address != "" {
				plugs[j].Addresses = []netip.Prefix{netip.MustParsePrefix(address)}
			}
		}
		link, err := l.Link(plugs[0], plugs[1])
		if err != nil {
			t.Fatal(err)
		}
		inner[i], outer[i] = link.Ends[0], link.Ends[1]
	}
	return outer, inner
}

func routed(t *testing.T, forwarding string, near, far [2]string) [2]*lab.End {
	t.Helper()
	outer, inner := row(t, near, far)
	if err := inner[0].Host.SetSysctl(forwarding, "1"); err != nil {
		t.Fatal(err)
	}
	for i, end := range outer {
		if err := end.Route(outer[1-i].Addresses[0], inner[i].Addresses[0].Addr()); err != nil {
			t.Fatal(err)
		}
	}
	return outer
}

func bridged(t *testing.T) [2]*lab.End {
	t.Helper()
	outer, inner := row(t, [2]string{"", ipv4[0]}, [2]string{"", ipv4[1]})
	err := inner[0].Host.Bridge("bridge", inner[0], inner[1])
	if errors.Is(err, lab.ErrNoBridge) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Introduce(outer[0], outer[1]); err != nil {
		t.Fatal(err)
	}
	return outer
}

var paths = map[string]func(t *testing.T) [2]*lab.End{
	"routed/ipv4": func(t *testing.T) [2]*lab.End {
		return routed(t, "net.ipv4.conf.all.forwarding",
			[2]string{"192.0.2.254/24", "192.0.2.1/24"}, [2]string{"198.51.100.254/24", "198.51.100.1/24"})
	},
	"routed/ipv6": func(t *testing.T) [2]*lab.End {
		return routed(t, "net.ipv6.conf.all.forwarding",
			[2]string{"2001:db8:1::fe/64", "2001:db8:1::1/64"}, [2]string{"2001:db8:2::fe/64", "2001:db8:2::1/64"})
	},
	"bridged": bridged,
}

// A recording between hosts that are not neighbours is as complete as one of a
// link, and may begin anew.
func TestARecordingOfAPath(t *testing.T) {
	t.Parallel()
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := path(t)
			c := started(t, ends)
			for again := range 20 {
				refused(t, ends)
				recording := c.Stop(t.Context())
				if len(recording.Doubts) != 0 {
					t.Fatalf("recording %d: %v", again, recording.Doubts)
				}
				for i, seen := range recording.Sightings {
					if len(seen) != 2 {
						t.Fatalf("recording %d: end %d saw %v, want a SYN and a RST", again, i, seen)
					}
				}
				if err := c.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// However many markers there are, no host answers one, which would be a foreign
// frame: an ICMP error.
func TestNobodyAnswersAMarker(t *testing.T) {
	t.Parallel()
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := started(t, path(t))
			for range 2000 { // more than a socket has room for
				for _, m := range c.markers {
					if _, err := m.send(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if recording := c.Stop(t.Context()); len(recording.Doubts) != 0 || recording.Foreign != 0 {
				t.Errorf("doubts %v, %d foreign frames", recording.Doubts, recording.Foreign)
			}
		})
	}
}
