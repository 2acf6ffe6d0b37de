package lab

import (
	"errors"
	"strings"
	"testing"
)

func TestABridgeHasNothingToAnnounce(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	ports := pair(t, l).Ends
	host := ports[0].Host
	err := host.Bridge("bridge", ports[0])
	if errors.Is(err, ErrNoBridge) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := host.Netlink.LinkByName("bridge")
	if err != nil {
		t.Fatal(err)
	}
	port, err := host.Netlink.LinkByName(ports[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	if port.Attrs().MasterIndex != bridge.Attrs().Index {
		t.Errorf("the port's master is %d, the bridge %d", port.Attrs().MasterIndex, bridge.Attrs().Index)
	}
	end := &End{Host: host, Name: "bridge", Index: bridge.Attrs().Index}
	if got := addressesOf(t, end); len(got) != 0 {
		t.Errorf("the bridge has the addresses %v", got)
	}
	for _, group := range groupsOf(t, end) {
		if group != "ff010000000000000000000000000001" && group != "ff020000000000000000000000000001" {
			t.Errorf("the bridge joined %s", group)
		}
	}
}

func TestABridgeNamesWhatItCannotAdd(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	host, err := l.Host("switch")
	if err != nil {
		t.Fatal(err)
	}
	err = host.Bridge("bridge", &End{Host: host, Name: "nowhere", Index: 1000})
	if errors.Is(err, ErrNoBridge) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "bridge bridge of switch: add the port nowhere") {
		t.Errorf("got %v", err)
	}
}
