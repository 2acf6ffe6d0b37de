package packetdrill

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const (
	ack = segment.ACK
	fin = segment.FIN | segment.ACK
	psh = segment.PSH | segment.ACK
	rst = segment.RST | segment.ACK
)

// A connection is one that a test makes up, as the taps on both ends see it. Its
// numbers begin shortly before they go round.
type connection struct {
	t                    testing.TB
	exchange             *teardown.Exchange
	client, server       netip.AddrPort
	clientISN, serverISN uint32
}

// begin makes up a connection up to the end of its handshake, 1 ms after the recording
// began.
func begin(t testing.TB) *connection {
	return beginBetween(t, "AF_INET", "192.0.2.1:40000", "192.0.2.2:80")
}

func beginBetween(t testing.TB, domain, client, server string) *connection {
	c := &connection{
		t: t, exchange: &teardown.Exchange{},
		client: netip.MustParseAddrPort(client), server: netip.MustParseAddrPort(server),
		clientISN: 1<<32 - 3, serverISN: 1<<32 - 5,
	}
	c.exchange.Client.Setup = &teardown.Setup{Domain: domain}
	c.exchange.Server.Setup = &teardown.Setup{Domain: domain}
	options := segment.Options{MSS: 1460, SACKPermitted: true, HasWindowScale: true, WindowScale: 7}
	c.passes(segment.Client, time.Millisecond, segment.Segment{Flags: segment.SYN, Options: options})
	c.passes(segment.Server, time.Millisecond, segment.Segment{Flags: segment.SYN | ack, Ack: 1, Options: options})
	c.passes(segment.Client, time.Millisecond, segment.Segment{Flags: ack, Seq: 1, Ack: 1})
	return c
}

// passes has both taps see a segment whose numbers count from the beginning, and whose
// timestamps are milliseconds; leaves has only its sender's see it.
func (c *connection) passes(from segment.Side, at time.Duration, s segment.Segment) {
	c.leaves(from, at, s)
	c.arrives(from, at, at, s)
}

func (c *connection) leaves(from segment.Side, at time.Duration, s segment.Segment) {
	c.sees(from, from, at, at, s)
}

// arrives has only its receiver's tap see a segment, that was made earlier.
func (c *connection) arrives(from segment.Side, made, at time.Duration, s segment.Segment) {
	c.sees(from.Peer(), from, made, at, s)
}

func (c *connection) sees(tap, from segment.Side, made, at time.Duration, s segment.Segment) {
	c.t.Helper()
	s.Src, s.Dst, s.Window = c.client, c.server, 512
	if from == segment.Server {
		s.Src, s.Dst = c.server, c.client
	}
	s = segment.Numbering{Client: c.clientISN, Server: c.serverISN, ClientPort: c.client.Port()}.Absolute(s)
	// Each end's clock began at a time of its own, of which the peer's first is echoed.
	base := [2]uint32{1<<32 - 2, 5000}
	s.Options.HasTimestamps, s.Options.TSVal = true, base[from]+uint32(made.Milliseconds())
	if s.Flags.Has(ack) {
		s.Options.TSEcr = base[from.Peer()] + 1
	}
	frame, err := s.Encode([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2})
	if err != nil {
		c.t.Fatal(err)
	}
	decoded, err := segment.NewDecoder().Decode(frame)
	if err != nil {
		c.t.Fatal(err)
	}
	end := c.exchange.End(tap)
	end.Sightings = append(end.Sightings, segment.Sighting{
		At: at, Sent: tap == from, Segment: decoded, Frame: frame[:len(frame)-s.Length], FrameLength: len(frame),
	})
}

// closes has an end make its closing call.
func (c *connection) closes(s segment.Side, at time.Duration, call string) {
	c.exchange.End(s).Call, c.exchange.End(s).CalledAt = call, at
}

// overtaken makes up a connection whose client's FIN comes 60 ms after the ACK that was
// made later; the server has sent data, and accepts the FIN.
func overtaken(t testing.TB) teardown.Trial {
	const ms = time.Millisecond
	c := begin(t)
	server := &c.exchange.Server
	server.Setup.Sysctls = map[string]string{"net.ipv4.tcp_fin_timeout": "61"}
	server.Setup.Options = []teardown.SocketOption{{Name: "TCP_LINGER2", Value: 61}}
	server.Setup.Calls = []teardown.Call{{At: 2*ms + 1, Name: "read", Octets: 10}, {At: 2*ms + 2, Name: "write", Octets: 3000}}
	c.passes(segment.Client, 2*ms, segment.Segment{Flags: psh, Seq: 1, Ack: 1, Length: 10})
	c.passes(segment.Server, 2*ms, segment.Segment{Flags: ack, Seq: 1, Ack: 11})
	c.passes(segment.Server, 2*ms+3, segment.Segment{Flags: ack, Seq: 1, Ack: 11, Length: 1448})
	c.passes(segment.Server, 2*ms+4, segment.Segment{Flags: ack, Seq: 1449, Ack: 11, Length: 1448})
	c.passes(segment.Server, 2*ms+5, segment.Segment{Flags: psh, Seq: 2897, Ack: 11, Length: 104})
	c.passes(segment.Client, 3*ms+5, segment.Segment{Flags: ack, Seq: 11, Ack: 3001})
	c.closes(segment.Client, 10*ms, "close()")
	c.leaves(segment.Client, 10*ms, segment.Segment{Flags: fin, Seq: 11, Ack: 3001})
	c.closes(segment.Server, 10*ms, "shutdown(SHUT_WR)")
	c.passes(segment.Server, 10*ms+1, segment.Segment{Flags: fin, Seq: 3001, Ack: 11})
	c.passes(segment.Client, 10*ms+2, segment.Segment{Flags: ack, Seq: 12, Ack: 3002})
	c.arrives(segment.Client, 10*ms, 70*ms, segment.Segment{Flags: fin, Seq: 11, Ack: 3001})
	c.passes(segment.Server, 70*ms+1, segment.Segment{Flags: ack, Seq: 3002, Ack: 12})
	eof := 70*ms + 2
	server.Reads, server.EOF = true, &eof
	return teardown.Trial{Outcome: teardown.Clean, Exchange: c.exchange}
}

// exported is the script of a trial, line by line, without what is there to be looked
// at: comments, empty lines, and the spaces that line up columns.
func exported(t testing.TB, trial teardown.Trial) []string {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, Origin{Scenario: "made/up", Kernel: "1.2.3"}, trial); err != nil {
		t.Fatal(err)
	}
	understood(t, file.String())
	holdOctets(t, file.String(), trial)
	var lines []string
	for line := range strings.Lines(file.String()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.HasPrefix(line, "//") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestWrite(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(exported(t, overtaken(t))).To(HaveExactElements(
		"--tolerance_usecs=30000",
		"`sysctl -q net.ipv4.tcp_fin_timeout=61 net.ipv4.tcp_rmem=\"4096 131072 4194304\"`",
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
		"+0 setsockopt(3, SOL_TCP, 10 /* TCP_WINDOW_CLAMP */, [4194304], 4) = 0",
		"+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
		"+0 bind(3, ..., ...) = 0",
		"+0 listen(3, 1) = 0",
		"+0 < S 0:0(0) win 512 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
		"+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 100,nop,wscale 7>",
		"+0 < . 1:1(0) ack 1 win 512 <nop,nop,TS val 100 ecr 100>",
		"+0 accept(3, ..., ...) = 4",
		"+0 setsockopt(4, SOL_TCP, TCP_LINGER2, [61], 4) = 0",
		"+.001 < P. 1:11(10) ack 1 win 512 <nop,nop,TS val 101 ecr 100>",
		"+0 > . 1:1(0) ack 11 <nop,nop,TS val 101 ecr 100>",
		"+0 read(4, ..., 10) = 10",
		"+0 write(4, ..., 3000) = 3000",
		// One segment of the kernel's, that the link took in three.
		"+0 > P. 1:3001(3000) ack 11 <nop,nop,TS val 101 ecr 100>",
		"+.001 < . 11:11(0) ack 3001 win 512 <nop,nop,TS val 102 ecr 100>",
		"+.007 shutdown(4, SHUT_WR) = 0",
		"+0 > F. 3001:3001(0) ack 11 <nop,nop,TS val 109 ecr 100>",
		"+0 < . 12:12(0) ack 3002 win 512 <nop,nop,TS val 109 ecr 100>",
		"+.06 < F. 11:11(0) ack 3001 win 512 <nop,nop,TS val 109 ecr 100>",
		"+0 > . 3002:3002(0) ack 12 <nop,nop,TS val 169 ecr 100>",
		"+0 read(4, ..., 1) = 0",
	))
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	const window = "sysctl -q net.ipv4.tcp_rmem=\"4096 131072 4194304\""
	for name, c := range map[string]struct {
		domain, client, server string
		want                   []string
	}{
		"IPv4":        {"AF_INET", "192.0.2.1:40000", "192.0.2.2:80", []string{"`" + window + "`"}},
		"IPv4-mapped": {"AF_INET6", "192.0.2.1:40000", "192.0.2.2:80", []string{`--ip_version="ipv4-mapped-ipv6"`, "`" + window + "`"}},
		"IPv6":        {"AF_INET6", "[2001:db8::1]:40000", "[2001:db8::2]:80", []string{`--ip_version="ipv6"`, "`" + window + "; " + untilUsable + "`"}},
	} {
		lines := exported(t, teardown.Trial{Outcome: teardown.Clean, Exchange: beginBetween(t, c.domain, c.client, c.server).exchange})
		NewWithT(t).Expect(lines[1:1+len(c.want)]).To(Equal(c.want), name)
	}
}

func TestTheHeaderSaysWhatItIsOf(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var file bytes.Buffer
	g.Expect(Write(&file, Origin{Scenario: "made/up", Kernel: "1.2.3"}, overtaken(t))).To(Succeed())
	g.Expect(file.String()).To(HavePrefix("// made/up, as Linux 1.2.3 played it: clean.\n"))
	g.Expect(file.String()).To(ContainSubstring("unshare -n packetdrill"))
	g.Expect(file.String()).NotTo(ContainSubstring("It takes"))

	long := overtaken(t)
	long.Exchange.Server.Sightings[len(long.Exchange.Server.Sightings)-1].At = 2 * time.Hour
	file.Reset()
	g.Expect(Write(&file, Origin{}, long)).To(Succeed())
	g.Expect(file.String()).To(ContainSubstring("// It takes 2h0m0s.\n"))
}

// The server closes at 2 ms, 1 ms after the handshake, and its FIN is acknowledged at
// 42 ms.
func TestEveryWayToClose(t *testing.T) {
	t.Parallel()
	for call, want := range map[string][]string{
		"close()":                    {"+.001 close(4) = 0"},
		"exit()":                     {"+.001 close(4) = 0"},
		"SIGKILL":                    {"+.001 close(4) = 0"},
		"shutdown(SHUT_WR)":          {"+.001 shutdown(4, SHUT_WR) = 0"},
		"shutdown(SHUT_RDWR)":        {"+.001 shutdown(4, SHUT_RDWR) = 0"},
		"close() with SO_LINGER 5 s": {"+.001 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0", "+0...0.040 close(4) = 0"},
		"close() with SO_LINGER 0 s": {"+.001 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0", "+0 close(4) = 0"},
		"":                           nil,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			c := begin(t)
			c.closes(segment.Server, 2*time.Millisecond, call)
			c.passes(segment.Server, 2*time.Millisecond+1, segment.Segment{Flags: fin, Seq: 1, Ack: 1})
			c.passes(segment.Client, 42*time.Millisecond, segment.Segment{Flags: ack, Seq: 1, Ack: 2})
			lines := exported(t, teardown.Trial{Outcome: teardown.Clean, Exchange: c.exchange})
			from, to := 0, 0
			for i, line := range lines {
				switch {
				case strings.Contains(line, "accept"):
					from = i + 1
				case strings.Contains(line, "> F."):
					to = i
				}
			}
			NewWithT(t).Expect(lines[from:to]).To(Equal(append([]string{}, want...)))
		})
	}
}

// What comes right after the acknowledgement that a lingering close() waits for races
// with its return, so it comes as fast as it did.
func TestALingeringCloseIsRaced(t *testing.T) {
	t.Parallel()
	c := begin(t)
	c.closes(segment.Server, 2*time.Millisecond, "close() with SO_LINGER 5 s")
	c.passes(segment.Server, 2*time.Millisecond, segment.Segment{Flags: fin, Seq: 1, Ack: 1})
	c.passes(segment.Client, 42*time.Millisecond, segment.Segment{Flags: ack, Seq: 1, Ack: 2})
	c.passes(segment.Client, 42*time.Millisecond+222*time.Microsecond, segment.Segment{Flags: fin, Seq: 1, Ack: 2})
	lines := exported(t, teardown.Trial{Outcome: teardown.Clean, Exchange: c.exchange})
	g := NewWithT(t)
	g.Expect(lines).To(ContainElement(HavePrefix("+.000222 < F. 1:1(0)")))
	g.Expect(lines[len(lines)-1]).To(Equal("+0 close(3) = 0"), "packetdrill waits until it has returned")
}

// The server's program reads on after its shutdown(), and 7 octets come.
func TestWhatTheProgramIsTold(t *testing.T) {
	t.Parallel()
	at := 5 * time.Millisecond
	for name, c := range map[string]struct {
		tell func(*teardown.Trial)
		want []string
	}{
		"the end": {func(t *teardown.Trial) { eof := at + 1; t.Exchange.Server.EOF = &eof }, []string{"+0 read(4, ..., 7) = 7", "+0 read(4, ..., 1) = 0"}},
		"a reset": {func(t *teardown.Trial) { t.Exchange.Server.ReadError = "ECONNRESET" }, []string{
			"+0 read(4, ..., 7) = 7", "+0 recv(4, ..., 1, MSG_DONTWAIT) = -1 ECONNRESET (Connection reset by peer)",
		}},
		"that it took too long": {func(t *teardown.Trial) {
			t.Exchange.Server.ReadError = "ETIMEDOUT"
			t.GivenUp = map[segment.Side]time.Duration{segment.Server: 30 * time.Second}
		}, []string{"+0 read(4, ..., 7) = 7", "+33.747 recv(4, ..., 1, MSG_DONTWAIT) = -1 ETIMEDOUT (Connection timed out)"}},
		"nothing": {func(*teardown.Trial) {}, []string{
			"+0 read(4, ..., 7) = 7", "+0 recv(4, ..., 1, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := begin(t)
			made.closes(segment.Server, 2*time.Millisecond, "shutdown(SHUT_WR)")
			made.exchange.Server.Reads = true
			made.passes(segment.Server, 2*time.Millisecond, segment.Segment{Flags: fin, Seq: 1, Ack: 1})
			made.passes(segment.Client, at, segment.Segment{Flags: fin | psh, Seq: 1, Ack: 2, Length: 7})
			made.passes(segment.Server, at, segment.Segment{Flags: ack, Seq: 2, Ack: 9})
			if name != "the end" { // its FIN did not come with the data
				made.exchange.Server.Sightings = made.exchange.Server.Sightings[:4]
				made.arrives(segment.Client, at, at, segment.Segment{Flags: psh, Seq: 1, Ack: 2, Length: 7})
				made.leaves(segment.Server, at, segment.Segment{Flags: ack, Seq: 2, Ack: 8})
			}
			trial := teardown.Trial{Outcome: teardown.Clean, Exchange: made.exchange}
			c.tell(&trial)
			lines := exported(t, trial)
			NewWithT(t).Expect(lines[len(lines)-2:]).To(Equal(c.want))
		})
	}
}

// Where only the client's kernel gave up, the client is under test.
func TestTheClientUnderTest(t *testing.T) {
	t.Parallel()
	c := begin(t)
	c.closes(segment.Client, 2*time.Millisecond, "shutdown(SHUT_WR)")
	c.exchange.Client.Reads, c.exchange.Client.ReadError = true, "ETIMEDOUT"
	c.leaves(segment.Client, 2*time.Millisecond, segment.Segment{Flags: fin, Seq: 1, Ack: 1})
	c.leaves(segment.Client, 206*time.Millisecond, segment.Segment{Flags: fin, Seq: 1, Ack: 1})
	trial := teardown.Trial{
		Outcome: teardown.TimedOut, Exchange: c.exchange,
		GivenUp: map[segment.Side]time.Duration{segment.Client: 1004 * time.Millisecond},
	}
	NewWithT(t).Expect(exported(t, trial)).To(HaveExactElements(
		"--tolerance_usecs=30000",
		"`sysctl -q net.ipv4.tcp_rmem=\"4096 131072 4194304\"`",
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
		"+0 setsockopt(3, SOL_TCP, 10 /* TCP_WINDOW_CLAMP */, [4194304], 4) = 0",
		"+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
		"+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
		"+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
		"+0 < S. 0:0(0) ack 1 win 512 <mss 1460,sackOK,TS val 100 ecr 100,nop,wscale 7>",
		"+0 > . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 100>",
		"+0 fcntl(3, F_SETFL, O_RDWR) = 0",
		"+.001 shutdown(3, SHUT_WR) = 0",
		"+0 > F. 1:1(0) ack 1 <nop,nop,TS val 101 ecr 100>",
		"+.204 > F. 1:1(0) ack 1 <nop,nop,TS val 305 ecr 100>",
		"+.9 recv(3, ..., 1, MSG_DONTWAIT) = -1 ETIMEDOUT (Connection timed out)",
	))
}

// Where both gave up, it is the server.
func TestTheServerUnderTest(t *testing.T) {
	t.Parallel()
	trial := overtaken(t)
	trial.GivenUp = map[segment.Side]time.Duration{segment.Client: time.Second, segment.Server: time.Second}
	NewWithT(t).Expect(exported(t, trial)).To(ContainElement("+0 listen(3, 1) = 0"))
}

// What a ladder says of a segment stands above it, and above no other.
func TestWhatIsRemarkableStandsAboveIt(t *testing.T) {
	t.Parallel()
	trial := overtaken(t)
	trial.Overtook = []teardown.Sequence{{
		Overtaking:  teardown.Overtaking{From: segment.Client, Fast: segment.KindACKOfFIN, Slow: segment.KindFIN},
		FastSegment: ". 12:12(0) ack 3002", SlowSegment: "F. 11:11(0) ack 3001",
	}}
	var file bytes.Buffer
	g := NewWithT(t)
	g.Expect(Write(&file, Origin{}, trial)).To(Succeed())
	lines := strings.Split(file.String(), "\n")
	above := map[string]string{}
	for i, line := range lines[1:] {
		if strings.HasPrefix(lines[i], "// over") {
			above[strings.Join(strings.Fields(line)[1:4], " ")] = lines[i]
		}
	}
	g.Expect(above).To(Equal(map[string]string{
		"< . 12:12(0)":  "// overtakes the FIN",
		"< F. 11:11(0)": "// overtaken by the ACK of the FIN",
	}))
}

// Only what a kernel made as one is written as one.
func TestWhole(t *testing.T) {
	t.Parallel()
	part := func(flags segment.Flags, seq uint32, length int) segment.Sighting {
		return segment.Sighting{Sent: true, Segment: segment.Segment{Flags: flags, Seq: seq, Length: length, Ack: 1}}
	}
	first, rest := part(ack, 10, 5), part(psh, 15, 5)
	acknowledges := rest
	acknowledges.Ack++
	arrived, after := first, rest
	arrived.Sent, after.Sent = false, false
	for name, c := range map[string]struct {
		seen []segment.Sighting
		want []int // octets
	}{
		"two parts":                {[]segment.Sighting{first, rest}, []int{10}},
		"three":                    {[]segment.Sighting{first, part(ack, 15, 5), part(psh, 20, 5)}, []int{15}},
		"with the FIN":             {[]segment.Sighting{first, part(fin, 15, 5)}, []int{10}},
		"a gap":                    {[]segment.Sighting{first, part(ack, 16, 5)}, []int{5, 5}},
		"the first was pushed":     {[]segment.Sighting{part(psh, 10, 5), rest}, []int{5, 5}},
		"the rest acknowledges":    {[]segment.Sighting{first, acknowledges}, []int{5, 5}},
		"they arrived":             {[]segment.Sighting{arrived, after}, []int{5, 5}},
		"a FIN alone":              {[]segment.Sighting{first, part(fin, 15, 0)}, []int{5, 0}},
		"more than a packet holds": {[]segment.Sighting{part(ack, 10, 65000), part(psh, 65010, 5000)}, []int{65000, 5000}},
	} {
		var got []int
		for _, s := range whole(c.seen) {
			got = append(got, s.Length)
		}
		NewWithT(t).Expect(got).To(Equal(c.want), name)
	}
}

// packetdrill itself reads what is written, where there is one.
func TestPacketdrillReadsIt(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("packetdrill")
	if err != nil {
		t.Skip("there is no packetdrill in PATH (github.com/google/packetdrill)")
	}
	file := filepath.Join(t.TempDir(), "made-up.pkt")
	var script bytes.Buffer
	g := NewWithT(t)
	g.Expect(Write(&script, Origin{Scenario: "made/up", Kernel: "1.2.3"}, overtaken(t))).To(Succeed())
	g.Expect(os.WriteFile(file, script.Bytes(), 0o600)).To(Succeed())
	said, err := exec.Command(program, "--dry_run", file).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), "%s", said)
}

func ExampleWrite() {
	err := Write(nil, Origin{}, teardown.Trial{})
	fmt.Println(err)
	// Output: write a packetdrill script: the trial has no exchange
}
