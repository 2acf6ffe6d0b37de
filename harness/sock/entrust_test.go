package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sock"
)

const entrusts = "SOCK_TEST_ENTRUSTS_A_SOCKET"

// TestMain lets the test program be the process that
// TestAnOwnerGoesWithItsKilledParent kills.
func TestMain(m *testing.M) {
	if os.Getenv(entrusts) != "" {
		entrustForever()
	}
	os.Exit(m.Run())
}

func TestTheEndOfItsProcessClosesASocket(t *testing.T) {
	for _, how := range []sock.Closing{sock.Exit, sock.Kill} {
		t.Run(how.Name, func(t *testing.T) {
			client, server := connected(t, t.Context())
			if err := client.Entrust(); err != nil {
				t.Fatal(err)
			}
			refused(t, client)
			// The connection goes on.
			if err := server.Write([]byte("more")); err != nil {
				t.Fatal(err)
			}
			await(t, server, unix.BPF_TCP_ESTABLISHED)
			before := clock.Now()
			at, err := client.End(how)
			if err != nil {
				t.Fatal(err)
			}
			after := clock.Now()
			if at < before || at > after {
				t.Errorf("the call was made at %d, not between %d and %d", at, before, after)
			}
			// What it had left unread makes it a RST (net/ipv4/tcp.c, __tcp_close).
			if _, err := server.ReadToEOF(); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("the other end: got %v, want %v", err, unix.ECONNRESET)
			}
			noChildren(t)
			if _, err := client.End(how); err == nil {
				t.Error("a process ended twice")
			}
		})
	}
}

// Time over, an owner holds a socket, its orders and its answers.
func TestAnOwnerHoldsNothingElse(t *testing.T) {
	client, server := connected(t, t.Context())
	if err := client.Entrust(); err != nil {
		t.Fatal(err)
	}
	owners := children(t, os.Getpid())
	if len(owners) != 1 {
		t.Fatalf("%d processes own one socket", len(owners))
	}
	fds := fmt.Sprintf("/proc/%d/fd/", owners[0])
	entries, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	var holds []string
	for _, entry := range entries {
		to, err := os.Readlink(fds + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(to, ":")
		holds = append(holds, kind)
	}
	if want := []string{"pipe", "pipe", "pipe", "socket"}; !slices.Equal(holds, want) {
		t.Errorf("it holds %q, want %q", holds, want)
	}
	// The FIN proves that nobody else holds it.
	if _, err := client.End(sock.Exit); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadToEOF(); err != nil {
		t.Error(err)
	}
}

func TestOnlyAnEntrustedSocketEndsWithItsProcess(t *testing.T) {
	client, _ := connected(t, t.Context())
	for _, how := range []sock.Closing{sock.Exit, sock.Kill} {
		if _, err := client.End(how); err == nil {
			t.Errorf("%s ended a socket of this process", how.Name)
		}
	}
	if _, err := client.Info(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsAnOwner(t *testing.T) {
	client, server := connected(t, t.Context())
	if err := client.Entrust(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	noChildren(t)
	if _, err := server.ReadToEOF(); err != nil {
		t.Error(err)
	}
}

func TestAnOwnerGoesWithItsContext(t *testing.T) {
	l := lab.New()
	t.Cleanup(l.Close)
	a, b := linked(t, l)
	ctx, cancel := context.WithCancelCause(t.Context())
	listener, err := sock.Listen(t.Context(), b, netip.MustParseAddrPort("192.0.2.2:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.Close)
	client, err := sock.Dial(ctx, a, listener.Addr)
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if err := client.Entrust(); err != nil {
		t.Fatal(err)
	}
	reason := errors.New("the trial is over")
	cancel(reason)
	if _, err := server.ReadToEOF(); err != nil {
		t.Error(err)
	}
	for _, how := range []sock.Closing{sock.Exit, sock.Kill} {
		if _, err := client.End(how); !errors.Is(err, reason) {
			t.Errorf("%s: got %v, want %v", how.Name, err, reason)
		}
	}
	noChildren(t)
	if err := server.Entrust(); err != nil {
		t.Errorf("the other end, whose context lasts: %v", err)
	}
}

// No handler runs at SIGKILL: it is the kernel that closes the pipe.
func TestAnOwnerGoesWithItsKilledParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), "/proc/self/exe")
	parent.Env = append(os.Environ(), entrusts+"=1")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Process.Kill(); _ = parent.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	owner, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	process, err := unix.PidfdOpen(owner, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); unix.Close(process) })
	until(t, func() bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, 100)
		return n == 1 // it has ended
	})
}

// entrustForever entrusts one end of a connection to a process, prints that
// process's ID, and waits to be killed.
func entrustForever() {
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	host, err := lab.New().Host("a")
	must(err)
	loopback, err := host.Netlink.LinkByName("lo")
	must(err)
	must(host.Netlink.LinkSetUp(loopback))
	listener, err := sock.Listen(context.Background(), host, netip.MustParseAddrPort("127.0.0.1:0"))
	must(err)
	client, err := sock.Dial(context.Background(), host, listener.Addr)
	must(err)
	must(client.Entrust())
	owners, err := childrenOf(os.Getpid())
	must(err)
	fmt.Println(owners[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	select {}
}

// noChildren tests that this process has none, not even zombies.
func noChildren(t *testing.T) {
	t.Helper()
	if left := children(t, os.Getpid()); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func children(t *testing.T, parent int) []int {
	t.Helper()
	found, err := childrenOf(parent)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// childrenOf lists a process's children, zombies included.
func childrenOf(parent int) (found []int, err error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, process := range processes {
		id, err := strconv.Atoi(process.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + process.Name() + "/stat")
		if err != nil {
			continue // it is gone
		}
		// The name, which may hold anything, ends at the last parenthesis.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[1] == strconv.Itoa(parent) {
			found = append(found, id)
		}
	}
	return found, nil
}
