package sock_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

func TestBeginDoesNotWaitForTheHandshake(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	listener, err := sock.Listen(t.Context(), b, netip.MustParseAddrPort("192.0.2.2:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.Close)
	client, err := sock.Begin(t.Context(), a, listener.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if client.Local != server.Remote || client.Remote != server.Local {
		t.Errorf("the ends disagree: %v to %v, %v to %v", client.Local, client.Remote, server.Local, server.Remote)
	}

	// Nobody has that address, so that a handshake would never end.
	begun := time.Now()
	nobody, err := sock.Begin(t.Context(), a, netip.MustParseAddrPort("192.0.2.9:9"))
	if err != nil || time.Since(begun) > time.Second {
		t.Fatalf("to begin took %v (%v)", time.Since(begun), err)
	}
	if _, err := nobody.Close(); err != nil {
		t.Error(err)
	}

	if _, err := sock.Begin(t.Context(), a, netip.MustParseAddrPort("198.51.100.1:9")); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("a connect() that fails at once gives %v", err)
	}
}
