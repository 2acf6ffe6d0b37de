package observe

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

// What a socket's holder knows of it, and what becomes of it, whoever asks is told.
func TestInspectTellsWhatTheHolderKnows(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	host, o := observed(t, l)
	local, remote := listenAndConnect(t, host)
	inspect := func() Socket {
		t.Helper()
		s, err := o.Inspect(local, remote)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	open := inspect()
	if open.State != "ESTABLISHED" || !open.Held || open.ShutReading || open.Cookie == 0 || open.RTO < 200*time.Millisecond {
		t.Errorf("of an open connection it tells %+v", open)
	}
	own := clientOf(t, local)
	cookie, err := unix.GetsockoptUint64(own, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil || cookie != open.Cookie {
		t.Errorf("the cookie is %d (%v), and was told to be %d", cookie, err, open.Cookie)
	}
	if err := unix.Shutdown(own, unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	if shut := inspect(); !shut.ShutReading || !shut.Held || shut.State != "ESTABLISHED" {
		t.Errorf("of one that is shut down for reading it tells %+v", shut)
	}
	if err := o.Destroy(local, remote); err != nil {
		t.Skip(err) // a kernel need not be able to
	}
	if gone := inspect(); gone != (Socket{Status: Status{State: Closed}}) {
		t.Errorf("of one that is gone it tells %+v", gone)
	}
}

// clientOf is the descriptor of this process's socket with that address.
func clientOf(t *testing.T, local netip.AddrPort) int {
	t.Helper()
	for fd := range 1 << 10 {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			continue
		}
		in4, ok := sa.(*unix.SockaddrInet4)
		if _, err := unix.Getpeername(fd); ok && err == nil && netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)) == local {
			return fd
		}
	}
	t.Fatalf("no socket has the address %v", local)
	return -1
}
