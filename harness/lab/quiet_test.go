package lab

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// What an end of a link would announce, some time after the link was made: a
// link-local address, and groups that are not every node's.
func TestLinkHasNothingToAnnounce(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	for _, end := range pair(t, l).Ends {
		if err := end.Host.SetSysctl("net.ipv6.conf.all.forwarding", "1"); err != nil {
			t.Fatal(err)
		}
		if got := addressesOf(t, end); !slices.Equal(got, end.Addresses) {
			t.Errorf("%s has the addresses %v, was given %v", end.Host.Name, got, end.Addresses)
		}
		for _, group := range groupsOf(t, end) {
			// All nodes of the interface and of the link: never reported (RFC
			// 3810 section 6).
			if group != "ff010000000000000000000000000001" && group != "ff020000000000000000000000000001" {
				t.Errorf("%s joined %s", end.Host.Name, group)
			}
		}
	}
}

func addressesOf(t *testing.T, end *End) (got []netip.Prefix) {
	t.Helper()
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: end.Index}}
	addresses, err := Dump(func() ([]netlink.Addr, error) {
		return end.Host.Netlink.AddrList(link, netlink.FAMILY_ALL)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		got = append(got, netip.MustParsePrefix(a.IPNet.String()))
	}
	slices.SortFunc(got, netip.Prefix.Compare)
	return got
}

// groupsOf returns the IPv6 groups that an end belongs to, in hexadecimal.
func groupsOf(t *testing.T, end *End) (groups []string) {
	t.Helper()
	var text []byte
	if err := end.Host.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/igmp6")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[1] == end.Name {
			groups = append(groups, fields[2])
		}
	}
	if len(groups) == 0 {
		t.Fatalf("%s belongs to no group:\n%s", end.Host.Name, text)
	}
	return groups
}

func TestDumpIsRepeatedUntilItIsWhole(t *testing.T) {
	asked := 0
	got, err := Dump(func() (int, error) {
		if asked++; asked < 3 {
			return 0, netlink.ErrDumpInterrupted
		}
		return asked, nil
	})
	if got != 3 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}
