package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		die()
	}
	before := held()
	code := m.Run()
	if left := held() - before; code == 0 && left > 0 {
		fmt.Fprintf(os.Stderr, "the closed labs left %d namespaces and sockets open\n", left)
		code = 1
	}
	os.Exit(code)
}

// held counts the descriptors of namespaces and sockets.
func held() (n int) {
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, file := range files {
		to, _ := os.Readlink(file)
		if strings.HasPrefix(to, "net:") || strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func pair(t *testing.T, l *Lab) *Link {
	t.Helper()
	a, err := l.Host("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Host("b")
	if err != nil {
		t.Fatal(err)
	}
	link, err := l.Link(
		Plug{Host: a, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")}},
		Plug{Host: b, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64")}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestLinkCarriesTheFirstDatagram(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	link := pair(t, l)
	for i, end := range link.Ends {
		peer := link.Ends[1-i]
		for j := range end.Addresses {
			if err := deliver(end, peer, end.Addresses[j].Addr(), peer.Addresses[j].Addr()); err != nil {
				t.Errorf("from %s to %v: %v", end.Host.Name, peer.Addresses[j], err)
			}
		}
	}
}

// deliver sends one datagram and waits for it: no ARP, no neighbour discovery
// and no noop qdisc may be in its way.
func deliver(from, to *End, source, target netip.Addr) error {
	receiver, err := datagramSocket(to, target)
	if err != nil {
		return err
	}
	defer unix.Close(receiver)
	sender, err := datagramSocket(from, source)
	if err != nil {
		return err
	}
	defer unix.Close(sender)
	bound, err := unix.Getsockname(receiver)
	if err != nil {
		return err
	}
	if err := unix.Sendto(sender, []byte("one"), 0, bound); err != nil {
		return err
	}
	for {
		// A call with a timeout is not restarted after a signal (signal(7)).
		if _, err := unix.Read(receiver, make([]byte, 3)); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func datagramSocket(end *End, addr netip.Addr) (fd int, err error) {
	domain, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: addr.As16()})
	if addr.Is4() {
		domain, address = unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4()}
	}
	err = end.Host.Do(func() error {
		fd, err = unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, address); err != nil {
		return 0, err
	}
	return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
}

func TestSysctlIsTheHostsOwn(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	a, b := mustHost(t, l, "a"), mustHost(t, l, "b")
	if err := a.SetSysctl("net.ipv4.tcp_fin_timeout", "17"); err != nil {
		t.Fatal(err)
	}
	read := func(h *Host) (value string) {
		t.Helper()
		if err := h.Do(func() error {
			text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fin_timeout")
			value = strings.TrimSpace(string(text))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return value
	}
	if got := read(a); got != "17" {
		t.Errorf("the host that was set has %s", got)
	}
	if got := read(b); got == "17" {
		t.Error("another host was set as well")
	}
	if err := a.SetSysctl("net.ipv4.no_such_thing", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sysctl that there is not: %v", err)
	}
}

func TestCloseGoesBackwards(t *testing.T) {
	l := New()
	var order []int
	for i := range 3 {
		l.OnClose(func() { order = append(order, i) })
	}
	l.Close()
	l.Close()
	if !slices.Equal(order, []int{2, 1, 0}) {
		t.Errorf("taken down in the order %v", order)
	}
}

// Threads of this process that are, or stay, in another namespace than its own
// would run somebody else's code there.
func TestNoThreadStaysBehind(t *testing.T) {
	own, err := os.Readlink(ownNamespace())
	if err != nil {
		t.Fatal(err)
	}
	l := New()
	t.Cleanup(l.Close)
	host := mustHost(t, l, "a")
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := host.Do(func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := host.Do(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("a function that ended its goroutine was not reported")
	}
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if ns, err := os.Readlink(task + "/ns/net"); err == nil && ns != own {
			t.Errorf("thread %s is in another namespace", filepath.Base(task))
		}
	}
}

func mustHost(t *testing.T, l *Lab, name string) *Host {
	t.Helper()
	host, err := l.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// victim makes the test binary a process that builds a lab and is killed.
const victim = "FINWAIT_LAB_VICTIM"

// die connects a new lab's host to the namespace that it inherited as file 3,
// says so, and waits to be killed.
func die() {
	l := New()
	host, err := l.Host("victim")
	if err != nil {
		panic(err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	if err := host.Netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "victim", PeerNamespace: netlink.NsFd(3)}); err != nil {
		panic(err)
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		panic(err)
	}
	select {}
}

// A veth end goes with its peer, and the peer with its namespace: the link in
// the witness's namespace tells that the victim's is gone.
func TestNothingSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	l := New()
	t.Cleanup(l.Close)
	witness := mustHost(t, l, "witness")
	links, err := witness.subscribe(unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	defer links.close()

	inherited := os.NewFile(uintptr(mustDup(t, witness.FD())), "witness")
	defer inherited.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victim+"=1")
	cmd.ExtraFiles = []*os.File{inherited}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("the victim did not get ready: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	err = links.await(eventDeadline, "the victim's link to go", func(m syscall.NetlinkMessage) (bool, error) {
		if m.Header.Type != unix.RTM_DELLINK {
			return false, nil
		}
		link, err := netlink.LinkDeserialize((*unix.NlMsghdr)(&m.Header), m.Data)
		return err == nil && link.Attrs().Name == "victim", err
	})
	if err != nil {
		t.Errorf("the victim's namespace outlived it: %v", err)
	}
}

func mustDup(t *testing.T, fd int) int {
	t.Helper()
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	return dup
}
