package exposure_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// role makes the test binary a server, and guest a client.
const (
	role  = "FINWAIT_TEST_SERVER"
	guest = "FINWAIT_TEST_CLIENT"
)

// endings are what a server does with a connection once it has read a request.
var endings = map[string]func(*net.TCPConn){
	// What nginx's lingering close does.
	"lingers": func(c *net.TCPConn) {
		respond(c)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	},
	"closes":       func(c *net.TCPConn) { respond(c); _ = c.Close() },
	"aborts":       func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
	"waits":        func(c *net.TCPConn) { respond(c); _, _ = io.Copy(io.Discard, c); _ = c.Close() },
	"never-closes": func(c *net.TCPConn) { respond(c); select {} },
}

func respond(c *net.TCPConn) { _, _ = c.Write(make([]byte, answer)) }

// answer is how many octets a server answers.
const answer = 700

// clients are what a client does, each call of connect a connection with a request sent.
var clients = map[string]func(connect func() *net.TCPConn){
	"closes": func(connect func() *net.TCPConn) { c := connect(); receive(c); _ = c.Close() },
	"shuts-down": func(connect func() *net.TCPConn) {
		c := connect()
		receive(c)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	},
	"waits": func(connect func() *net.TCPConn) { c := connect(); _, _ = io.Copy(io.Discard, c); _ = c.Close() },
	"fails": func(connect func() *net.TCPConn) {
		c := connect()
		receive(c)
		_ = c.Close()
		fmt.Println("I am not content")
		os.Exit(60)
	},
	"comes-again": func(connect func() *net.TCPConn) {
		for range 2 {
			c := connect()
			receive(c)
			_ = c.Close()
		}
	},
}

// receive reads an answer, and not on to its end.
func receive(c *net.TCPConn) { _, _ = io.ReadFull(c, make([]byte, answer)) }

func TestMain(m *testing.M) {
	if end, called := endings[os.Getenv(role)]; called {
		serve(end)
	}
	if behave, called := clients[os.Getenv(guest)]; called {
		behave(func() *net.TCPConn { return connect(os.Args[1]) })
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(end func(*net.TCPConn)) {
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		c, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				end(c.(*net.TCPConn))
			}
		}()
	}
}

func connect(address string) *net.TCPConn {
	c, err := net.Dial("tcp", address)
	if err == nil {
		_, err = io.WriteString(c, request)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return c.(*net.TCPConn)
}

const request = "GET / HTTP/1.1\r\nHost: finwait\r\n\r\n"

// patient is an end that sends nothing again while it is held, however late the machine is.
var patient = scenario.Behaviour{
	RTOMin: 10 * time.Second, Sysctls: map[string]string{"net.ipv4.tcp_early_retrans": "0"},
}

// open has a server of the test binary's run, between two ends that are alike.
func open(t *testing.T, server string, family topologies.Family, ends scenario.Behaviour) *scenario.Site {
	t.Helper()
	g := NewWithT(t)
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	site, err := scenario.Service{
		Family: family, Client: ends, Server: ends,
		Command: program.Command{Args: []string{self}, Env: []string{role + "=" + server}},
		Listen:  netip.MustParseAddrPort("0.0.0.0:8080"),
	}.Open(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(site.Close)
	return site
}

// try has clients come to a server of the test binary's.
func try(t *testing.T, server string, family topologies.Family) map[scenario.Manner]exposure.Finding {
	t.Helper()
	g := NewWithT(t)
	site := open(t, server, family, patient)
	findings := map[scenario.Manner]exposure.Finding{}
	visit := scenario.Visit{Request: []byte(request), Patience: 300 * time.Millisecond}
	for _, visit.Manner = range scenario.Manners[:len(scenario.Manners)-1] { // the last takes minutes
		finding, err := exposure.Visit(t.Context(), site, visit)
		g.Expect(err).NotTo(HaveOccurred())
		findings[visit.Manner] = finding
	}
	return findings
}

func TestHowAServerEnds(t *testing.T) {
	for server, c := range map[string]struct {
		call string
		data teardown.Outcome // what data that was overtaken comes to
	}{
		"lingers": {"shutdown(SHUT_WR)", teardown.Clean},
		"closes":  {"close()", teardown.Reset},
	} {
		for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6} {
			t.Run(server+"/"+string(family), func(t *testing.T) {
				g := NewWithT(t)
				for manner, f := range try(t, server, family) {
					g.Expect(f.Trial).NotTo(BeNil(), "%s", manner)
					told := ladder.Text(*f.Trial)
					g.Expect(f.Trial.Outcome).To(Equal(f.Owed), "%s: %s", manner, told)
					g.Expect(f.Trial.Exchange.Client.Heard).To(HaveLen(200), "the beginning of the answer")
					if manner != scenario.HalfClosed { // then it reads EOF at once, and closes
						g.Expect(f.Trial.Exchange.Server.Call).To(Equal(c.call), "%s: %s", manner, told)
					}
					if manner == scenario.DataOvertaken {
						g.Expect(f.Owed).To(Equal(c.data), "%s", told)
					}
				}
			})
		}
	}
}

// A server may end a connection before all of the request has come, and then goes by its
// own FIN with what it acknowledges.
func TestAServerThatDoesNotWaitForTheRequest(t *testing.T) {
	body := strings.Repeat("x", 50_000)
	long := fmt.Sprintf("POST / HTTP/1.1\r\nHost: finwait\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	site := open(t, "lingers", topologies.IPv4, patient)
	visit := scenario.Visit{Request: []byte(long)}
	for _, visit.Manner = range scenario.Manners[:len(scenario.Manners)-1] {
		g := NewWithT(t)
		f, err := exposure.Visit(t.Context(), site, visit)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(f.Trial).NotTo(BeNil(), "%s: %v", visit.Manner, f.Why)
		told := ladder.Text(*f.Trial)
		g.Expect(f.Trial.Outcome).To(Equal(teardown.Clean), "%s: %s", visit.Manner, told)
	}
}

// A client of somebody else's closes when it will.
func TestHowAClientEnds(t *testing.T) {
	for client, c := range map[string]struct {
		call string
		why  error // what keeps both from closing at once
	}{
		"closes":     {call: sock.Close.Name},
		"shuts-down": {call: sock.ShutdownWrite.Name},
		"waits":      {call: sock.Close.Name, why: scenario.ErrClientWaits},
	} {
		for _, server := range []string{"lingers", "closes"} {
			t.Run(client+"/"+server, func(t *testing.T) {
				site := open(t, server, topologies.IPv4, patient)
				for _, manner := range []scenario.Manner{scenario.Undisturbed, scenario.FINOvertaken, scenario.FINsCross} {
					g := NewWithT(t)
					f := visitBy(t, site, client, manner)
					if c.why != nil && manner != scenario.Undisturbed {
						g.Expect(f.Why).To(Equal(c.why), "%s", manner)
						continue
					}
					g.Expect(f.Trial).NotTo(BeNil(), "%s: %v", manner, f.Why)
					told := ladder.Text(*f.Trial)
					g.Expect(f.Trial.Outcome).To(Equal(teardown.Clean), "%s: %s", manner, told)
					calls := []string{c.call}
					if manner == scenario.Undisturbed && c.call == sock.ShutdownWrite.Name {
						calls = append(calls, scenario.ShutdownClose) // where the server's FIN was there before
					}
					g.Expect(calls).To(ContainElement(f.Trial.Exchange.Client.Call), "%s: %s", manner, told)
				}
			})
		}
	}
}

func TestAClientMayWantALongerConnection(t *testing.T) {
	g := NewWithT(t)
	site := open(t, "waits", topologies.IPv4, patient)
	f := visitBy(t, site, "closes", scenario.FINOvertaken)
	g.Expect(f.Why).To(Equal(scenario.ErrNotFirst))
	f = visitBy(t, site, "closes", scenario.Undisturbed)
	g.Expect(f.Trial).NotTo(BeNil(), "%v", f.Why)
	g.Expect(f.Trial.Outcome).To(Equal(teardown.Clean), "%s", ladder.Text(*f.Trial))
}

func TestAClientThatIsReset(t *testing.T) {
	site := open(t, "aborts", topologies.IPv4, patient)
	for _, manner := range []scenario.Manner{scenario.Undisturbed, scenario.FINOvertaken, scenario.FINsCross} {
		g := NewWithT(t)
		f := visitBy(t, site, "closes", manner)
		g.Expect(f.Trial).NotTo(BeNil(), "%s: %v", manner, f.Why)
		g.Expect(f.Owed).To(Equal(teardown.Reset), "%s: %s", manner, ladder.Text(*f.Trial))
		g.Expect(f.Trial.Outcome).To(Equal(f.Owed), "%s: %s", manner, ladder.Text(*f.Trial))
	}
}

// That a client comes to a bad end is told, and changes nothing.
func TestAClientThatFails(t *testing.T) {
	site := open(t, "closes", topologies.IPv4, patient)
	for client, want := range map[string]OmegaMatcher{
		"fails":  And(ContainSubstring("it ended: exit status 60"), ContainSubstring("I am not content")),
		"closes": BeEmpty(),
	} {
		g := NewWithT(t)
		f := visitBy(t, site, client, scenario.Undisturbed)
		g.Expect(f.Trial).NotTo(BeNil(), "%v", f.Why)
		g.Expect(f.Trial.Outcome).To(Equal(teardown.Clean), "%s", ladder.Text(*f.Trial))
		g.Expect(f.Trial.Exchange.Client.Failed).To(want, client)
	}
}

func TestAClientThatDoesNotCome(t *testing.T) {
	g := NewWithT(t)
	site := open(t, "lingers", topologies.IPv4, patient)
	client := program.Command{Args: []string{"/bin/sh", "-c", "echo no way >&2; exit 3"}}
	_, err := exposure.Visit(t.Context(), site, scenario.Visit{Manner: scenario.FINOvertaken, Client: client})
	g.Expect(err).To(MatchError(And(
		ContainSubstring("the client opened no connection to "), ContainSubstring("exit status 3"), ContainSubstring("no way"),
	)))
	g.Expect(err.Error()).NotTo(MatchRegexp(`(?s)no way.*no way`))
}

// No hold keeps a FIN that is sent again: a client that waits for it gets it after all.
func TestAClientThatIsToldAfterAll(t *testing.T) {
	g := NewWithT(t)
	site := open(t, "lingers", topologies.IPv4, scenario.Behaviour{})
	f := visit(t, site, "waits", scenario.FINOvertaken, time.Minute)
	g.Expect(f.Why).To(Equal(scenario.ErrClientWaits))
}

func TestAClientComesOnce(t *testing.T) {
	g := NewWithT(t)
	site := open(t, "lingers", topologies.IPv4, patient)
	f := visitBy(t, site, "comes-again", scenario.FINOvertaken)
	if f.Trial == nil { // the FIN of one was taken for the other's
		g.Expect(f.Why).To(Equal(scenario.ErrStrays))
	} else {
		g.Expect(f.Trial.Outcome).To(Equal(teardown.Inconclusive))
		g.Expect(f.Trial.Why).To(ContainElement(scenario.ErrStrays.Why))
	}

	f = visitBy(t, site, "closes", scenario.FINOvertaken)
	g.Expect(f.Trial).NotTo(BeNil(), "%v", f.Why)
	g.Expect(f.Trial.Outcome).To(Equal(teardown.Clean), "the next one: %s", ladder.Text(*f.Trial))
}

// visitBy has a client of the test binary's come, and not wait for long.
func visitBy(t *testing.T, site *scenario.Site, client string, manner scenario.Manner) exposure.Finding {
	t.Helper()
	return visit(t, site, client, manner, time.Second)
}

func visit(t *testing.T, site *scenario.Site, client string, manner scenario.Manner, patience time.Duration) exposure.Finding {
	t.Helper()
	g := NewWithT(t)
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	address, err := topologies.ServerAddress(topologies.IPv4)
	g.Expect(err).NotTo(HaveOccurred())
	f, err := exposure.Visit(t.Context(), site, scenario.Visit{
		Manner: manner, Patience: patience,
		Client: program.Command{Args: []string{self, netip.AddrPortFrom(address, 8080).String()}, Env: []string{guest + "=" + client}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	return f
}
