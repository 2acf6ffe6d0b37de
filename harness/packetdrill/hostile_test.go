package packetdrill

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// grammar is every kind of line that a script may have: a comment that nothing can get
// out of, an option, the one command, and events.
var grammar = func() *regexp.Regexp {
	const (
		number  = `-?\d{1,20}`
		options = ` <(nop|sackOK|(mss|wscale) \d+|TS val \d+ ecr \d+|sack( \d+:\d+)+)(,(nop|sackOK|(mss|wscale) \d+|TS val \d+ ecr \d+|sack( \d+:\d+)+))*>`
		packet  = `[<>] (-|[FSRPUEWA.]{1,9}) \d+:\d+\(\d+\)( ack \d+)?( win \d+)?(` + options + `)?`
		args    = `[A-Za-z0-9_,.|={}\[\] -]*( /\* TCP_WINDOW_CLAMP \*/)?[A-Za-z0-9_,.|={}\[\] -]*`
		call    = `(socket|setsockopt|bind|listen|accept|fcntl|connect|read|recv|write|shutdown|close)\(` + args + `\) = -?\d+( E[A-Z]+ \([A-Za-z ]+\))?`
		when    = `(0|\+(\d*\.\d+|\d+)(\.\.\.\d+\.\d{3})?) +`
	)
	return regexp.MustCompile(`^(|// [ -_a-~]*` +
		`|--tolerance_usecs=\d+|--ip_version="(ipv6|ipv4-mapped-ipv6)"` +
		"|`sysctl -q( net\\.ipv4\\.tcp_[a-z0-9_]+=(" + number + `|"` + number + `( ` + number + ")*\"))+`" +
		`|` + when + `(` + packet + `|` + call + `))$`)
}()

// understood wants nothing of a script but what the grammar has, and one command at
// most.
func understood(t testing.TB, script string) {
	t.Helper()
	if !strings.HasSuffix(script, "\n") {
		t.Errorf("it does not end with a line's end")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(script, "\n"), "\n") {
		if !grammar.MatchString(line) {
			t.Errorf("it has the line %q", line)
		}
	}
	if n := strings.Count(script, "`"); n != 0 && n != 2 {
		t.Errorf("it has %d marks of a command", n)
	}
}

// A record is edited by whoever wants to run commands as root.
func TestNothingOfARecordRuns(t *testing.T) {
	t.Parallel()
	const evil = "x`reboot`\n`reboot`\r\n0 `reboot`\"*/%{reboot}%\x00\u2028é"
	trial := overtaken(t)
	trial.Outcome = evil
	trial.Retransmissions = []teardown.Retransmission{{Segment: evil}}
	trial.Overtook = []teardown.Sequence{{FastSegment: ". 12:12(0) ack 3002", Overtaking: teardown.Overtaking{Slow: evil}}}
	var file bytes.Buffer
	NewWithT(t).Expect(Write(&file, Origin{Scenario: evil, Kernel: evil}, trial)).To(Succeed())
	understood(t, file.String())
	if !strings.Contains(file.String(), "reboot") {
		t.Error("nothing of it was ever tried")
	}
}

func TestWhatIsNoScript(t *testing.T) {
	t.Parallel()
	for want, edit := range map[string]func(*teardown.Trial){
		"the trial has no exchange":                        func(t *teardown.Trial) { t.Exchange = nil },
		"in doubt (the tap lost 3 frames): play it again":  func(t *teardown.Trial) { t.Exchange.Doubts = []string{"the tap lost 3 frames"} },
		"did not show what it set out to show":             func(t *teardown.Trial) { t.Outcome = teardown.Inconclusive },
		"opened a second connection":                       func(t *teardown.Trial) { t.Exchange.Reopening = &teardown.Reopening{} },
		"does not say how the server was set up":           func(t *teardown.Trial) { t.Exchange.Server.Setup = nil },
		"route had metrics of its own":                     func(t *teardown.Trial) { t.Exchange.Server.Setup.RTOMin = time.Second },
		"(rto_min or quickack)":                            func(t *teardown.Trial) { t.Exchange.Server.Setup.QuickACK = true },
		"socket is AF_UNIX":                                func(t *teardown.Trial) { t.Exchange.Server.Setup.Domain = "AF_UNIX" },
		"had kernel.panic=1":                               sysctl("kernel.panic", "1"),
		"had net.ipv4.tcp_x=1;reboot":                      sysctl("net.ipv4.tcp_x", "1;reboot"),
		"had net.ipv4.tcp_x;reboot=1":                      sysctl("net.ipv4.tcp_x;reboot", "1"),
		"had net.ipv4.tcp_x=?reboot?":                      sysctl("net.ipv4.tcp_x", "`reboot`"),
		"had net.ipv4.tcp_x=1?2":                           sysctl("net.ipv4.tcp_x", "1\n2"),
		"had the option TCP_REPAIR":                        func(t *teardown.Trial) { t.Exchange.Server.Setup.Options[0].Name = "TCP_REPAIR" },
		"called sendfile for 10 octets":                    func(t *teardown.Trial) { t.Exchange.Server.Setup.Calls[0].Name = "sendfile" },
		"called read for -1 octets":                        func(t *teardown.Trial) { t.Exchange.Server.Setup.Calls[0].Octets = -1 },
		"ended by abort(), which no script does":           func(t *teardown.Trial) { t.Exchange.Server.Call = "abort()" },
		"ended by close() with SO_LINGER -1 s":             func(t *teardown.Trial) { t.Exchange.Server.Call = "close() with SO_LINGER -1 s" },
		"was told EMFILE":                                  told1("EMFILE"),
		"the SYNs were not seen":                           func(t *teardown.Trial) { t.Exchange.Client.Sightings = nil },
		"the server's tap did not see the whole handshake": cut(3, 20),
		"which is of another connection":                   port,
		"echoes a timestamp that the server had not sent":  echo,
		"it has TCP option 34, which has no place":         fastOpen,
		"read its frame":                                   func(t *teardown.Trial) { t.Exchange.Server.Sightings[4].Frame = []byte{1} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			trial := overtaken(t)
			edit(&trial)
			var file bytes.Buffer
			err := Write(&file, Origin{}, trial)
			g.Expect(err).To(MatchError(And(HavePrefix("write a packetdrill script: "), ContainSubstring(want))))
			g.Expect(err.Error()).To(MatchRegexp(`^[ -~]*$`), "it is one line")
			g.Expect(file.Len()).To(BeZero(), "something was written")
		})
	}
}

func sysctl(name, value string) func(*teardown.Trial) {
	return func(t *teardown.Trial) { t.Exchange.Server.Setup.Sysctls = map[string]string{name: value} }
}

func told1(what string) func(*teardown.Trial) {
	return func(t *teardown.Trial) { t.Exchange.Server.EOF, t.Exchange.Server.ReadError = nil, what }
}

// cut leaves out the first of what the server's tap saw.
func cut(from, to int) func(*teardown.Trial) {
	return func(t *teardown.Trial) {
		seen := t.Exchange.Server.Sightings
		t.Exchange.Server.Sightings = seen[from:min(to, len(seen))]
	}
}

func port(t *teardown.Trial) { t.Exchange.Server.Sightings[5].Src = t.Exchange.Server.Sightings[5].Dst }

func echo(t *teardown.Trial) { t.Exchange.Server.Sightings[2].Options.TSEcr++ }

// fastOpen has a SYN carry TCP Fast Open's option (RFC 7413) in the place of a nop and
// the window scale.
func fastOpen(t *teardown.Trial) {
	frame := t.Exchange.Server.Sightings[0].Frame
	copy(frame[len(frame)-4:], []byte{34, 4, 1, 2})
}

// Whatever a record holds, a script has nothing but what it may have, or there is none.
func FuzzWrite(f *testing.F) {
	trial, err := json.Marshal(overtaken(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("overtaken-fin/made-up", "1.2.3", trial)
	f.Add("`x`", "\n`x`", bytes.ReplaceAll(trial, []byte("shutdown(SHUT_WR)"), []byte("close() with SO_LINGER 5 s")))
	f.Add("", "", bytes.ReplaceAll(trial, []byte(`"61"`), []byte("\"1`x`\"")))
	f.Add("", "", []byte(`{"exchange": {"server": {"setup": {}}}}`))
	f.Fuzz(func(t *testing.T, scenario, kernel string, text []byte) {
		var trial teardown.Trial
		if json.Unmarshal(text, &trial) != nil {
			return
		}
		var file bytes.Buffer
		if err := Write(&file, Origin{Scenario: scenario, Kernel: kernel}, trial); err != nil {
			if file.Len() > 0 {
				t.Errorf("it wrote %q before it failed: %v", file.String(), err)
			}
			return
		}
		understood(t, file.String())
		holdOctets(t, file.String(), trial)
	})
}

// holdOctets wants as many segments injected as arrived, and as many octets expected as
// were sent, each in the order in which the tap saw them.
func holdOctets(t *testing.T, script string, trial teardown.Trial) {
	t.Helper()
	injected := 0
	for line := range strings.Lines(script) {
		if strings.Contains(line, " < ") {
			injected++
		}
	}
	arrived := 0
	for _, seen := range trial.Exchange.End(underTest(trial)).Sightings {
		if !seen.Sent {
			arrived++
		}
	}
	if injected != arrived {
		t.Errorf("it injects %d segments, and %d arrived", injected, arrived)
	}
}

var _ = segment.Client
