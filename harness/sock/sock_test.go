package sock_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

// connected returns both ends of a connection inside one host of its own.
func connected(t *testing.T, ctx context.Context) (client, server *sock.Conn) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
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
	return client, server
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
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadToEOF(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("got %v, want %v", err, unix.ECONNRESET)
	}
	if _, err := client.Info(); err == nil {
		t.Error("a closed connection answered")
	}
}

func TestContextEndsEveryWait(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	client, _ := connected(t, ctx)
	if _, err := client.ReadToEOF(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
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
