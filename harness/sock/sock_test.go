package sock_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

// connected returns both ends of a connection between two hosts of its own.
func connected(t *testing.T, ctx context.Context) (client, server *sock.Conn) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	_, client, server = connect(t, ctx, a, b)
	return client, server
}

// connect opens a listener on b and a connection from a to it.
func connect(t *testing.T, ctx context.Context, a, b *lab.Host) (listener *sock.Listener, client, server *sock.Conn) {
	t.Helper()
	listener, err := sock.Listen(ctx, b, netip.MustParseAddrPort("192.0.2.2:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.Close)
	if client, err = sock.Dial(ctx, a, listener.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return listener, client, server
}

func linked(t *testing.T, l *lab.Lab) (a, b *lab.Host) {
	t.Helper()
	var err error
	if a, err = l.Host("a"); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Host("b"); err != nil {
		t.Fatal(err)
	}
	_, err = l.Link(
		lab.Plug{Host: a, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}},
		lab.Plug{Host: b, Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24")}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestShutdownIsSeenAsEOFAndLeavesTheOtherDirectionOpen(t *testing.T) {
	client, server := connected(t, t.Context())
	if client.Local != server.Remote || client.Remote != server.Local {
		t.Errorf("the ends disagree: %v to %v, %v to %v", client.Local, client.Remote, server.Local, server.Remote)
	}
	closing, err := client.Shutdown()
	if err != nil {
		t.Fatal(err)
	}
	eof, err := server.ReadToEOF()
	if err != nil {
		t.Fatal(err)
	}
	if eof < closing {
		t.Errorf("the FIN was seen %v before it was sent", closing.Sub(eof))
	}
	if err := server.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := client.Read(4); err != nil {
		t.Fatal(err)
	}
	info, err := client.Info()
	if err != nil {
		t.Fatal(err)
	}
	const finWait2 = 5
	if info.TCP.State != finWait2 {
		t.Errorf("TCP_INFO says state %d, want %d", info.TCP.State, finWait2)
	}
	if info.Drops != 0 || info.TCP.Total_retrans != 0 {
		t.Errorf("on a clean link: %d drops, %d retransmissions", info.Drops, info.TCP.Total_retrans)
	}
}

func TestLingerOfZeroResets(t *testing.T) {
	client, server := connected(t, t.Context())
	if _, err := client.End(sock.CloseLingering(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadToEOF(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("got %v, want %v", err, unix.ECONNRESET)
	}
}

// By the time of the call, the number of a closed descriptor may be another
// connection's.
func TestAClosedConnectionIsLeftAlone(t *testing.T) {
	client, _ := connected(t, t.Context())
	for range 2 {
		if _, err := client.Close(); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, client)
	if _, err := client.End(sock.CloseLingering(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("CloseLingering: got %v, want %v", err, os.ErrClosed)
	}
}

// refused tests that nothing can be done with a connection that was closed.
func refused(t *testing.T, c *sock.Conn) {
	t.Helper()
	for name, call := range map[string]func() error{
		"Info":       func() error { _, err := c.Info(); return err },
		"Queued":     func() error { _, _, err := c.Queued(); return err },
		"Shutdown":   func() error { _, err := c.Shutdown(); return err },
		"SetLinger2": func() error { return c.SetLinger2(1) },
		"AckAtOnce":  func() error { return c.AckAtOnce() },
		"Write":      func() error { return c.Write([]byte("late")) },
		"Read":       func() error { return c.Read(1) },
		"Entrust":    c.Entrust,
	} {
		if err := call(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: got %v, want %v", name, err, os.ErrClosed)
		}
	}
}

func TestDialRefused(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, _ := linked(t, l)
	if _, err := sock.Dial(t.Context(), a, netip.MustParseAddrPort("192.0.2.2:9")); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("got %v, want %v", err, unix.ECONNREFUSED)
	}
}
