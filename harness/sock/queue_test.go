package sock_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

func TestCloseWithSomethingUnreadResets(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	for _, how := range []sock.Closing{sock.Close, sock.CloseLingering(5)} {
		t.Run(how.Name, func(t *testing.T) {
			_, client, server := connect(t, t.Context(), a, b)
			if err := server.Write([]byte("unread")); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return queued(t, server) == [2]int{} })
			before := counter(t, a, "TCPAbortOnClose")
			if _, err := client.End(how); err != nil {
				t.Fatal(err)
			}
			if _, err := server.ReadToEOF(); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("got %v, want %v", err, unix.ECONNRESET)
			}
			if n := counter(t, a, "TCPAbortOnClose") - before; n != 1 {
				t.Errorf("TCPAbortOnClose counted %d, want 1", n)
			}
		})
	}
}

// The peer's window closes once nobody reads; what comes then stays unsent.
func TestQueuedTellsWhatWasSent(t *testing.T) {
	client, server := connected(t, t.Context())
	if got := queued(t, client); got != [2]int{} {
		t.Errorf("on an idle connection: %v queued", got)
	}
	const size = 1 << 20
	wrote := make(chan error, 1)
	go func() { wrote <- client.Write(make([]byte, 8*size)) }()
	until(t, func() bool { q := queued(t, client); return q[0] == 0 && q[1] > size/8 })
	if err := server.Read(8 * size); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return queued(t, client) == [2]int{} })
}

// queued returns the octets in flight and those unsent.
func queued(t *testing.T, c *sock.Conn) [2]int {
	t.Helper()
	inFlight, unsent, err := c.Queued()
	if err != nil {
		t.Fatal(err)
	}
	if inFlight < 0 || unsent < 0 {
		t.Errorf("%d in flight, %d unsent", inFlight, unsent)
	}
	return [2]int{inFlight, unsent}
}
