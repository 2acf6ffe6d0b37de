package packetdrill

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
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
		"|`sysctl -q( net\\.ipv4\\.tcp_[a-z0-9_]+=(" + number + `|"` + number + `( ` + number + `)*"))+(; ` + regexp.QuoteMeta(untilUsable) + ")?`" +
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
		"was told EMFILE":                                  saysError("EMFILE"),
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

func saysError(what string) func(*teardown.Trial) {
	return func(t *teardown.Trial) { t.Exchange.Server.EOF, t.Exchange.Server.ReadError = nil, what }
}

// cut leaves a part of what the server's tap saw.
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
	f.Add("overtaken-fin/made-up", "close()", "net.ipv4.tcp_sack", "0", "TCP_LINGER2", "ECONNRESET", "overtaken", int64(0), uint8(0), []byte{})
	f.Add("`x`", "close() with SO_LINGER 5 s", "net.ipv4.tcp_rmem", "1 2\t3", "SO_KEEPALIVE", "ETIMEDOUT", "\n`x`", int64(1e18), uint8(9), []byte{16, 4, 1, 2})
	f.Add("x", "SIGKILL", "net.ipv4.tcp_x=`x`", "1`x`", "TCP_LINGER2, [1], 4) = 0\n`x`", "E`x`", "*/", int64(-1), uint8(3), []byte{0})
	f.Fuzz(func(t *testing.T, scenario, call, name, value, option, said, note string, at int64, which uint8, header []byte) {
		trial := overtaken(t)
		trial.Outcome = teardown.Outcome(note)
		trial.Overtook = []teardown.Sequence{{FastSegment: ". 12:12(0) ack 3002", Overtaking: teardown.Overtaking{Slow: segment.Kind(note)}}}
		end := &trial.Exchange.Server
		end.Call, end.ReadError = call, said
		if said != "" {
			end.EOF = nil
		}
		end.Setup.Sysctls = map[string]string{name: value}
		end.Setup.Options[0].Name = option
		seen := &end.Sightings[int(which)%len(end.Sightings)]
		seen.At = time.Duration(at)
		copy(seen.Frame[max(0, len(seen.Frame)-len(header)):], header)
		if decoded, err := segment.NewDecoder().Decode(seen.Frame); err == nil {
			seen.Segment = decoded
		}
		var file bytes.Buffer
		if err := Write(&file, Origin{Scenario: scenario, Kernel: note}, trial); err != nil {
			if file.Len() > 0 {
				t.Errorf("it wrote %q before it failed: %v", file.String(), err)
			}
			return
		}
		understood(t, file.String())
		holdOctets(t, file.String(), trial)
	})
}

// holdOctets wants every octet that arrived or was sent, and every FIN, in the order in
// which the tap saw them.
func holdOctets(t testing.TB, script string, trial teardown.Trial) {
	t.Helper()
	type run struct {
		sent bool
		text string
	}
	var want, got []run
	add := func(to []run, sent bool, from, until uint32, flags string) []run {
		fin := strings.Contains(flags, "F")
		if n := len(to); n > 0 && to[n-1].sent == sent && from != until && strings.HasSuffix(to[n-1].text, fmt.Sprintf("-%d false", from)) {
			begin, _, _ := strings.Cut(to[n-1].text, "-")
			to[n-1].text = fmt.Sprintf("%s-%d %v", begin, until, fin)
			return to
		}
		return append(to, run{sent, fmt.Sprintf("%d-%d %v", from, until, fin)})
	}
	numbering, _ := trial.Exchange.Numbering()
	for _, seen := range trial.Exchange.End(underTest(trial)).Sightings {
		r := numbering.Relative(seen.Segment)
		want = add(want, seen.Sent, r.Seq, r.Seq+uint32(r.Length), r.Flags.String())
	}
	for _, m := range packetLine.FindAllStringSubmatch(script, -1) {
		var from, until uint32
		if _, err := fmt.Sscan(m[3], &from); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(m[4], &until); err != nil {
			t.Fatal(err)
		}
		got = add(got, m[1] == ">", from, until, m[2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("it has\n%v\nand the tap saw\n%v", got, want)
	}
}

// packetLine is a segment in a script: its direction, its flags, and its octets.
var packetLine = regexp.MustCompile(`(?m)^[^/\n]* ([<>]) (\S+) (\d+):(\d+)\(`)
