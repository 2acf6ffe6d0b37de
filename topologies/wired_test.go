package topologies_test

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/topologies"
)

// datagrams opens a UDP socket at each end of a pair.
func datagrams(t testing.TB, pair topologies.Pair) (client, server int, to unix.Sockaddr) {
	t.Helper()
	open := func(end *lab.End) int {
		var fd int
		if err := end.Host.Do(func() (err error) {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: end.Addresses[0].Addr().As4()}); err != nil {
			t.Fatal(err)
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	client, server = open(pair.Client), open(pair.Server)
	to, err := unix.Getsockname(server)
	if err != nil {
		t.Fatal(err)
	}
	return client, server, to
}

// A wire must not reorder or lose what no rule names.
func TestWireKeepsTheOrder(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	client, server, to := datagrams(t, w.Pair)
	const batches, batch = 50, 40 // a batch fits into the receive buffer
	buffer := make([]byte, 8)
	for i := range uint64(batches * batch) {
		if err := unix.Sendto(client, binary.BigEndian.AppendUint64(nil, i), 0, to); err != nil {
			t.Fatal(err)
		}
		if (i+1)%batch != 0 {
			continue
		}
		for want := i + 1 - batch; want <= i; want++ {
			if _, _, err := receive(server, buffer); err != nil {
				t.Fatalf("datagram %d: %v", want, err)
			}
			if got := binary.BigEndian.Uint64(buffer); got != want {
				t.Fatalf("datagram %d came in the place of %d", got, want)
			}
		}
	}
	if counts := w.Wire.Counts(); counts.Passed != [2]int{batches * batch, 0} || counts.Unreadable != 0 {
		t.Errorf("the wire counted %+v", counts)
	}
}

// Whatever a flood does to a wire, it must not pass for the kernel's doing.
func TestAWireThatLosesSaysSo(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	client, server, to := datagrams(t, w.Pair)
	const flood = 20_000
	for range flood {
		if err := unix.Sendto(client, make([]byte, 1000), 0, to); err != nil {
			t.Fatal(err)
		}
	}
	// What has come out was passed on; that the server's buffer is too small
	// for all of it is no matter.
	if _, _, err := receive(server, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for w.Wire.Finished() == nil && w.Wire.Counts().Passed[segment.Client] < flood {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d frames were passed on, and none was said to be lost", w.Wire.Counts().Passed[segment.Client], flood)
		}
		runtime.Gosched()
	}
}

func TestWireEndsWithItsLab(t *testing.T) {
	l := lab.New()
	w, err := topologies.NewWired(l, topologies.IPv6)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Wire.Finished(); err != nil {
		t.Errorf("a wire without rules: %v", err)
	}
	l.Close()
	w.Wire.Close()
	if err := w.Wire.Finished(); err != nil {
		t.Errorf("a wire that was closed: %v", err)
	}
}

// BenchmarkWire times a datagram and its answer, by turns on a link and through a
// wire, and reports what the wire adds to one way, at the median: half of what
// it adds to both.
func BenchmarkWire(b *testing.B) {
	l := lab.New()
	defer l.Close()
	pair, err := topologies.NewPair(l, topologies.IPv4)
	if err != nil {
		b.Fatal(err)
	}
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		b.Fatal(err)
	}
	direct, through := pinger(b, pair), pinger(b, w.Pair)
	var added []time.Duration
	for b.Loop() {
		bare := direct()
		added = append(added, (through()-bare)/2)
	}
	slices.Sort(added)
	b.ReportMetric(float64(added[len(added)/2].Nanoseconds())/1e3, "added-µs")
	b.ReportMetric(float64(added[len(added)*99/100].Nanoseconds())/1e3, "added-µs-p99")
}

// pinger returns a function that times a datagram and its answer.
func pinger(b *testing.B, pair topologies.Pair) func() time.Duration {
	client, server, to := datagrams(b, pair)
	go echo(server)
	buffer := make([]byte, 8)
	return func() time.Duration {
		begin := time.Now()
		if err := unix.Sendto(client, buffer, 0, to); err != nil {
			b.Fatal(err)
		}
		if _, _, err := receive(client, buffer); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
}

// echo answers until the socket is closed or silent for its timeout.
func echo(fd int) {
	buffer := make([]byte, 8)
	for {
		n, from, err := receive(fd, buffer)
		if err != nil {
			return
		}
		_ = unix.Sendto(fd, buffer[:n], 0, from)
	}
}

// receive is recvfrom(2), again where a signal of the runtime's interrupts it:
// a socket with a timeout is not restarted (signal(7)).
func receive(fd int, buffer []byte) (n int, from unix.Sockaddr, err error) {
	for {
		if n, from, err = unix.Recvfrom(fd, buffer, 0); err != unix.EINTR {
			return n, from, err
		}
	}
}
