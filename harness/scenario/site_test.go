package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/topologies"
)

// role makes the test binary a server.
const role = "FINWAIT_SCENARIO_TEST_SERVER"

// servers are what servers do with a connection.
var servers = map[string]func(net.Conn){
	"greets": greet,
	"hangs-up": func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	},
	"is-silent": func(net.Conn) { select {} },
	// It tells everybody of each client, as what is to be found by mDNS does.
	"multicasts": func(c net.Conn) {
		for _, to := range []string{"192.0.2.255:5353", "[ff02::fb%eth0]:5353"} {
			if strangers, err := net.Dial("udp", to); err == nil {
				_, _ = io.WriteString(strangers, "a client has come")
				_ = strangers.Close()
			}
		}
		greet(c)
	},
}

func greet(c net.Conn) {
	_, _ = io.ReadFull(c, make([]byte, len(request)))
	_, _ = io.WriteString(c, answer)
	_ = c.Close()
}

const request, answer = "hello?", "hello"

func TestMain(m *testing.M) {
	if handle, called := servers[os.Getenv(role)]; called {
		serve(handle)
	}
	os.Exit(m.Run())
}

func serve(handle func(net.Conn)) {
	listener, err := net.Listen("tcp", ":8080")
	for err == nil {
		var c net.Conn
		if c, err = listener.Accept(); err == nil {
			go handle(c)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// opened is a site of one of the servers.
func opened(t *testing.T, server string, family topologies.Family, client scenario.Behaviour) *scenario.Site {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	site, err := scenario.Service{
		Family: family, Client: client,
		Command: program.Command{Args: []string{self}, Env: []string{role + "=" + server}},
		Listen:  netip.MustParseAddrPort("[::]:8080"),
	}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	return site
}

func awaitAnswer(ctx context.Context, site *scenario.Site) error {
	return site.AwaitAnswer(ctx, []byte(request), []byte(answer))
}

// What of a server's is no TCP is no matter of a teardown's.
func TestAServerThatMulticasts(t *testing.T) {
	t.Parallel()
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			site := opened(t, "multicasts", family, scenario.Behaviour{})
			g.Expect(awaitAnswer(t.Context(), site)).To(Succeed())
			for range 2 {
				_, err := site.Visit(t.Context(), scenario.Visit{Manner: scenario.Undisturbed, Request: []byte(request)})
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
	}
}

// Only a server that has had its time is to blame for what it has not answered.
func TestAServerIsNotReady(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"is-silent", "hangs-up"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			site := opened(t, server, topologies.IPv4, scenario.Behaviour{})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			g.Expect(awaitAnswer(ctx, site)).To(MatchError(HavePrefix("the server listens, and does not answer as it is to: its answer begins with ")))
		})
	}
}

func TestTheWaitForAnAnswerIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"is-silent", "hangs-up"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			site := opened(t, server, topologies.IPv4, scenario.Behaviour{})
			why := errors.New("somebody has no time")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(300*time.Millisecond, func() { cancel(why) })
			err := awaitAnswer(ctx, site)
			g.Expect(err).To(MatchError(why))
			g.Expect(err).NotTo(MatchError(ContainSubstring("does not answer")))
		})
	}
}

// A client that cannot come says nothing of the server.
func TestAClientThatCannotAsk(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	site := opened(t, "greets", topologies.IPv4, scenario.Behaviour{Sysctls: map[string]string{
		"net.ipv4.ip_local_port_range": "5000 5000", "net.ipv4.ip_local_reserved_ports": "5000",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g.Expect(awaitAnswer(ctx, site)).To(MatchError(unix.EADDRNOTAVAIL))
	g.Expect(ctx.Err()).NotTo(HaveOccurred())
}
