package sock_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

// A program that is kept from running for 40 ms is too late. Without the call,
// there is not a time in any number when the kernel's timer does not come first.
func TestAckAtOnceComesBeforeTheDelayedAck(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	for range 20 {
		before := counter(t, a, "DelayedACKs")
		_, client, server := connect(t, t.Context(), a, b)
		// Only after data is the delay 40 ms; before, it is the timer's next tick.
		if err := server.Write([]byte("data")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.ReadToEOF(); err != nil {
			t.Fatal(err)
		}
		if err := client.AckAtOnce(); err != nil {
			t.Fatal(err)
		}
		await(t, server, unix.BPF_TCP_FIN_WAIT2)
		if counter(t, a, "DelayedACKs") == before {
			return
		}
	}
	t.Error("of 20 acknowledgements of a FIN, all were delayed")
}

// await waits until TCP_INFO gives a connection's state as that one.
func await(t *testing.T, c *sock.Conn, state uint8) {
	t.Helper()
	until(t, func() bool {
		info, err := c.Info()
		if err != nil {
			t.Fatal(err)
		}
		return info.TCP.State == state
	})
}

// until waits for what only the kernel knows of.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); {
		if time.Now().After(end) {
			t.Fatal("it did not come to that")
		}
	}
}

// counter reads a host's TcpExt counter.
func counter(t *testing.T, host *lab.Host, name string) int {
	t.Helper()
	var value int
	if err := host.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/netstat")
		if err != nil {
			return err
		}
		lines := strings.Split(string(text), "\n")
		names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
		at := slices.Index(names, name)
		if at < 0 {
			return fmt.Errorf("%w: no TcpExt counter %s", errors.ErrUnsupported, name)
		}
		value, err = strconv.Atoi(values[at])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return value
}
