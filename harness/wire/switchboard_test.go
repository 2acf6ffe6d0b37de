package wire

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/segment"
)

// octets writes a frame with a TCP segment of the client or the server.
func octets(t testing.TB, from segment.Side, tcp layers.TCP) []byte {
	t.Helper()
	addrs := [2]net.IP{{192, 0, 2, 1}, {192, 0, 2, 2}}
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	ports := [2]layers.TCPPort{40000, 80}
	tcp.SrcPort, tcp.DstPort = ports[from], ports[from.Peer()]
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: macs[from], DstMAC: macs[from.Peer()], EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, Protocol: layers.IPProtocolTCP, SrcIP: addrs[from], DstIP: addrs[from.Peer()]},
		&tcp,
	); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// story is the teardown in which the client's FIN is held.
var story = []struct {
	name string
	from segment.Side
	tcp  layers.TCP
}{
	{"client syn", segment.Client, layers.TCP{SYN: true, Seq: 99}},
	{"server syn", segment.Server, layers.TCP{SYN: true, ACK: true, Seq: 199, Ack: 100}},
	{"client ack", segment.Client, layers.TCP{ACK: true, Seq: 100, Ack: 200}},
	{"client fin", segment.Client, layers.TCP{FIN: true, ACK: true, Seq: 100, Ack: 200}},
	{"server fin", segment.Server, layers.TCP{FIN: true, ACK: true, Seq: 200, Ack: 100}},
	{"client ack-of-fin", segment.Client, layers.TCP{ACK: true, Seq: 101, Ack: 201}},
	{"client fin again", segment.Client, layers.TCP{FIN: true, ACK: true, Seq: 100, Ack: 201}},
}

func parse(t *testing.T, rules ...string) (parsed []Rule) {
	t.Helper()
	for _, text := range rules {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, r)
	}
	return parsed
}

// tell runs the story past a switchboard and returns what it delivers.
func tell(t *testing.T, rules ...string) (b *switchboard, delivered []string) {
	t.Helper()
	b = newSwitchboard()
	b.arm(parse(t, rules...))
	names := map[string]string{}
	for _, step := range story {
		frameOctets := octets(t, step.from, step.tcp)
		names[string(frameOctets)] = step.name
		f, goesOn := b.enter(frame{from: step.from, octets: frameOctets})
		switch {
		case !goesOn:
			continue
		case f.later() > 0:
			delivered = append(delivered, step.name+" after "+f.later().String())
			continue
		}
		for _, d := range append(b.leave(f), b.letGo(f)...) {
			delivered = append(delivered, cmp.Or(names[string(d.octets)], "injected"))
		}
	}
	return b, delivered
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rules      []string
		want       string
		unfinished string
	}{
		{nil, "client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again", ""},
		{
			[]string{"hold client fin until client ack-of-fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{
			[]string{"drop client fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again", "",
		},
		{
			[]string{"drop client fin 2"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin", "",
		},
		{
			[]string{"duplicate server fin", "delay client fin by 20ms"},
			"client syn, server syn, client ack, client fin after 20ms, server fin, server fin, client ack-of-fin, client fin again",
			`"delay client fin by 20ms" still keeps`,
		},
		{ // what it would wait for has been delivered already
			[]string{"hold client ack-of-fin until server fin"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again", "",
		},
		{ // what leaves a hold is delivered like anything else
			[]string{"hold client fin until server fin", "hold server fin until client ack-of-fin"},
			"client syn, server syn, client ack, client ack-of-fin, server fin, client fin, client fin again", "",
		},
		{ // which is held in its turn
			[]string{"hold client ack until released", "hold client fin until client ack-of-fin", "release client ack when client fin comes"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{
			[]string{"hold client fin until released", "release client fin when client ack-of-fin comes"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{ // no hold of that kind
			[]string{"hold client fin until client ack-of-fin", "release client fin when server fin comes"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{
			[]string{"hold client fin until released", "release client fin when server rst comes"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again",
			`"hold client fin until released" still keeps`,
		},
		{
			[]string{"release client fin when server rst comes"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again",
			`"release client fin when server rst comes" never fired`,
		},
		{
			[]string{"hold client fin until server rst"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again",
			`"hold client fin until server rst" still keeps`,
		},
		{
			[]string{"drop server data"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again",
			`"drop server data" never fired`,
		},
		{
			[]string{"swap client fin with client ack-of-fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{ // whichever comes first
			[]string{"swap client ack-of-fin with client fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, client fin again", "",
		},
		{ // two of a kind
			[]string{"swap client fin with client fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again, client fin", "",
		},
		{
			[]string{"swap client fin with client data"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again",
			`"swap client fin with client data" still keeps`,
		},
		{ // for good
			[]string{"drop every client fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin", "",
		},
		{ // only what comes after it
			[]string{"drop every client any after server fin"},
			"client syn, server syn, client ack, client fin, server fin", "",
		},
		{ // both directions: a side that is gone
			[]string{"drop every client any after client fin", "drop every server any after client fin"},
			"client syn, server syn, client ack, client fin", "",
		},
		{ // what a rule before it acts on is that rule's
			[]string{"duplicate client ack", "drop every client any after server syn"},
			"client syn, server syn, client ack, client ack, server fin", "",
		},
		{
			[]string{"drop every client any after client rst"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again",
			`"drop every client any after client rst" never fired`,
		},
		{ // it is delivered, and no segment of the rules'
			[]string{"inject client F. 1:1(0) ack 2 after client fin", "drop client fin 2"},
			"client syn, server syn, client ack, client fin, injected, server fin, client ack-of-fin", "",
		},
		{ // once, behind what it waits for
			[]string{"hold client fin until client ack-of-fin", "inject server R 1:1(0) after client fin"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin, injected, client fin again", "",
		},
		{
			[]string{"inject client R 1:1(0) after server rst"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again",
			`"inject client R 1:1(0) after server rst" never fired`,
		},
		{ // of whose sender nothing is known yet
			[]string{"inject server R 1:1(0) after client syn"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin, client fin again",
			"failed: the wire has not seen both SYNs",
		},
		{ // another rule has let the first of the two pass
			[]string{"duplicate client fin", "swap client fin with client ack-of-fin"},
			"client syn, server syn, client ack, client fin, client fin, server fin, client ack-of-fin, client fin again",
			`"swap client fin with client ack-of-fin" never fired`,
		},
		{
			[]string{"maybe drop server data", "maybe drop client fin 2"},
			"client syn, server syn, client ack, client fin, server fin, client ack-of-fin", "",
		},
		{ // what it did it has to finish
			[]string{"maybe hold client fin until server rst"},
			"client syn, server syn, client ack, server fin, client ack-of-fin, client fin again",
			`"maybe hold client fin until server rst" still keeps`,
		},
	} {
		b, delivered := tell(t, c.rules...)
		if got := strings.Join(delivered, ", "); got != c.want {
			t.Errorf("%q delivers\n%s, want\n%s", c.rules, got, c.want)
		}
		switch err := b.unfinished(); {
		case c.unfinished == "" && err != nil, c.unfinished != "" && (err == nil || !strings.Contains(err.Error(), c.unfinished)):
			t.Errorf("%q: %v, want %q", c.rules, err, c.unfinished)
		}
	}
}

// It has the connection's addresses and numbers, and is no other's.
func TestAnInjectedSegmentIsOfTheConnection(t *testing.T) {
	for _, c := range []struct {
		rule     string
		from     segment.Side
		seq, ack uint32
	}{
		{"inject client . 2:7(5) ack 2 win 501 after server fin", segment.Client, 101, 201},
		{"inject server . 2:7(5) ack 2 win 501 after server fin", segment.Server, 201, 101},
	} {
		b := newSwitchboard()
		b.arm(parse(t, c.rule))
		var out []frame
		for _, step := range story[:5] {
			f, _ := b.enter(frame{from: step.from, octets: octets(t, step.from, step.tcp)})
			out = b.leave(f)
		}
		if len(out) != 2 || out[1].from != c.from || out[1].rule == nil {
			t.Fatalf("%q: the server's FIN was delivered as %+v", c.rule, out)
		}
		like := octets(t, c.from, layers.TCP{ACK: true})
		if got := out[1].octets; string(got[:14]) != string(like[:14]) {
			t.Errorf("%q: the Ethernet header is %x, want %x", c.rule, got[:14], like[:14])
		}
		want, err := b.decoder.Decode(like)
		if err != nil {
			t.Fatal(err)
		}
		want.Seq, want.Ack, want.Window, want.Length = c.seq, c.ack, 501, 5
		if got, err := b.decoder.Decode(out[1].octets); err != nil || got != want {
			t.Errorf("%q delivered %+v (%v), want %+v", c.rule, got, err, want)
		}
	}
}

func TestWhatCannotBeReadIsPassedOnAndCounted(t *testing.T) {
	b := newSwitchboard()
	good := octets(t, segment.Client, layers.TCP{ACK: true})
	bad := slices.Clone(good)
	bad[14+20+12] = 0xf0 // a TCP header of 60 octets in a segment of 20
	arp := make([]byte, 42)
	arp[12], arp[13] = 8, 6
	for _, f := range [][]byte{good, bad, arp} {
		entered, goesOn := b.enter(frame{octets: f})
		if out := b.leave(entered); !goesOn || len(out) != 1 || string(out[0].octets) != string(f) {
			t.Errorf("%x was delivered as %v", f, out)
		}
	}
	if b.counts.Unreadable != 1 || b.counts.Passed != [2]int{3, 0} {
		t.Errorf("counted %+v", b.counts)
	}
}

// A delayed segment is delivered when its time has come, with what waits for it.
func TestWhatIsDueIsDelivered(t *testing.T) {
	b := newSwitchboard()
	b.arm(parse(t, "delay server fin by 1ms", "hold client fin until server fin"))
	fin := layers.TCP{FIN: true, ACK: true}
	held, _ := b.enter(frame{from: segment.Client, octets: octets(t, segment.Client, fin)})
	if out := b.leave(held); held.later() != 0 || len(out) != 0 {
		t.Fatalf("the client's FIN was not held: %v", out)
	}
	late, _ := b.enter(frame{from: segment.Server, octets: octets(t, segment.Server, fin)})
	if late.later() != time.Millisecond || b.idle() {
		t.Fatalf("the server's FIN is delayed by %v", late.later())
	}
	out := b.leave(late)
	if len(out) != 2 || out[0].from != segment.Server || out[1].from != segment.Client {
		t.Errorf("what is due was delivered as %v", out)
	}
	if !b.idle() || b.unfinished() != nil {
		t.Errorf("nothing is kept, but idle is %v and %v", b.idle(), b.unfinished())
	}
}

// On a wire that takes time, what a hold waits for has to have left it.
func TestAHoldWaitsForTheOtherEnd(t *testing.T) {
	b := newSwitchboard()
	b.arm(parse(t, "hold client fin until server fin"))
	fin := layers.TCP{FIN: true, ACK: true}
	theirs, _ := b.enter(frame{from: segment.Server, octets: octets(t, segment.Server, fin)})
	own, _ := b.enter(frame{from: segment.Client, octets: octets(t, segment.Client, fin)})
	if out := b.leave(own); len(out) != 0 || b.idle() {
		t.Fatalf("the client's FIN did not wait: %v", out)
	}
	if out := b.leave(theirs); len(out) != 2 || out[1].from != segment.Client || !b.idle() {
		t.Errorf("the server's FIN left with %v", out)
	}
}

// A hold without an end of its own ends when it is told to, for good, and what waits for
// its segment goes with it.
func TestAHoldUntilReleased(t *testing.T) {
	fin := func(b *switchboard, from segment.Side) []frame {
		f, _ := b.enter(frame{from: from, octets: octets(t, from, layers.TCP{FIN: true, ACK: true})})
		return b.leave(f)
	}
	b := newSwitchboard()
	rules := parse(t, "hold server fin until released", "hold client fin until released")
	b.arm(rules[:1])
	if out := fin(b, segment.Server); len(out) != 0 || b.idle() || b.unfinished() == nil {
		t.Fatalf("the server's FIN was not held: %v", out)
	}
	b.add(parse(t, "hold client fin until server fin"))
	if out := fin(b, segment.Client); len(out) != 0 {
		t.Fatalf("a rule that was added holds nothing: %v", out)
	}
	if b.release(rules[1]) || len(b.released()) != 0 {
		t.Fatal("a rule that is not there was released")
	}
	if out := b.released(); !b.release(rules[0]) || len(out) != 0 {
		t.Fatalf("%v left before it was released", out)
	}
	if out := b.released(); len(out) != 2 || out[0].from != segment.Server || out[1].from != segment.Client || !b.idle() || b.unfinished() != nil {
		t.Errorf("released, %v were delivered, and %v", out, b.unfinished())
	}

	b.arm(rules[:1])
	if b.release(rules[0]) || len(b.released()) != 0 {
		t.Error("nothing was held, and something was released")
	}
	if out := fin(b, segment.Server); len(out) != 1 || b.unfinished() != nil {
		t.Errorf("what was released before it came was held: %v, %v", out, b.unfinished())
	}
}

// What several rules held goes in the order in which it came, whatever that of the rules.
func TestHoldsThatAreReleasedTogether(t *testing.T) {
	b := newSwitchboard()
	rules := parse(t, "hold server fin until released", "hold client fin until released")
	b.arm(rules)
	for i, from := range []segment.Side{segment.Client, segment.Server} {
		f, _ := b.enter(frame{from: from, came: clock.Instant(i), octets: octets(t, from, layers.TCP{FIN: true, ACK: true})})
		b.leave(f)
	}
	for _, r := range rules {
		b.release(r)
	}
	if out := b.released(); len(out) != 2 || out[0].from != segment.Client || out[1].from != segment.Server || !b.idle() {
		t.Errorf("released, %v were delivered", out)
	}
}

// What has been released goes, also where other rules are armed before it has gone.
func TestArmKeepsWhatWasReleased(t *testing.T) {
	w := &Wire{board: newSwitchboard()}
	rules := parse(t, "hold server fin until released", "hold client fin until released")
	w.Arm(rules...)
	for _, from := range segment.Sides {
		f, _ := w.board.enter(frame{from: from, octets: octets(t, from, layers.TCP{FIN: true, ACK: true})})
		w.board.leave(f)
	}
	w.Release(rules[0])
	w.Arm()
	if len(w.underWay) != 1 || w.underWay[0].from != segment.Server {
		t.Errorf("on its way is %v", w.underWay)
	}
}

// What a rule keeps must not change with the buffer that the next frame is
// read into.
func TestKeptFramesAreCopies(t *testing.T) {
	b := newSwitchboard()
	b.arm(parse(t, "hold client fin until client ack-of-fin"))
	buffer := octets(t, segment.Client, layers.TCP{FIN: true, ACK: true})
	want := string(buffer)
	f, _ := b.enter(frame{from: segment.Client, octets: buffer})
	b.leave(f)
	clear(buffer)
	if got := string(b.rules[0].held.octets); got != want {
		t.Errorf("the frame kept has changed to %x", got)
	}
}

func TestParseRuleShowsWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        "want hold, release, swap, drop, duplicate, delay or inject",
		"lose client fin":                         `it begins with "lose"`,
		"drop":                                    "client or server should follow",
		"drop client fni":                         `"fni" (word 2)`,
		"hold client fin":                         "until what?",
		"hold client fin until never":             `"never" (word 1)`,
		"hold client fin until released soon":     `"released" (word 1)`,
		"release client fin":                      "when what comes?",
		"release client fin when server fin":      "when what comes?",
		"release client fin when released comes":  `"released" (word 1)`,
		"swap client fin":                         "with what?",
		"swap client fin with server":             "where one of",
		"swap client fin with server fin":         "should be of one side",
		"maybe":                                   `it begins with "maybe"`,
		"maybe maybe drop client fin":             `it begins with "maybe"`,
		"maybe drop client":                       "one of syn",
		"drop every":                              `"every" (word 1)`,
		"drop every client fin 2":                 "every one is to be dropped",
		"drop every client fin after":             `"after" (word 3)`,
		"drop every client fin after client":      "where one of",
		"drop client fin after server fin":        `"after" (word 3)`,
		"delay client fin":                        "by how much?",
		"delay client fin by soon":                `invalid duration "soon"`,
		"delay client fin by -1ms":                "should be above 0",
		"inject client R 1:1(0)":                  "after what?",
		"inject R 1:1(0) after server fin":        `no side is called "R"`,
		"inject client after server fin":          "want flags, and a range",
		"inject client R 1:2(0) after server fin": "should end at 1",
		"inject client R 1:1(0) after server":     "where one of",
	} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", text, err, want)
		}
	}
	r, err := ParseRule("delay server any by 20ms")
	if err != nil || r.by != 20*time.Millisecond || r.String() != "delay server any by 20ms" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func FuzzParseRule(f *testing.F) {
	for _, text := range []string{
		"hold client fin until client ack-of-fin", "delay server any by 20ms", "drop client fin 2",
		"drop every client any after server fin", "release server fin when client fin comes",
		"swap client fin with client ack-of-fin", "maybe drop server challenge-ack",
		"inject client . 1:1(0) ack 754 win 501 after server fin",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			if !strings.Contains(err.Error(), strconv.Quote(text)) {
				t.Errorf("the error on %q does not show it: %v", text, err)
			}
			return
		}
		if r.String() != text {
			t.Errorf("%q is written as %q", text, r)
		}
		switch perhaps, err := ParseRule("maybe " + text); {
		case r.maybe && err == nil:
			t.Errorf("%q may not do what it may not do", perhaps)
		case !r.maybe && err != nil:
			t.Errorf("%q can be read, but not with maybe: %v", text, err)
		case !r.maybe:
			perhaps.text, perhaps.maybe = r.text, false
			if perhaps != r {
				t.Errorf("%q is another rule with maybe: %+v", text, perhaps)
			}
		}
	})
}

func FuzzEnter(f *testing.F) {
	for _, step := range story {
		f.Add(octets(f, step.from, step.tcp), step.from == segment.Client)
	}
	f.Fuzz(func(t *testing.T, data []byte, client bool) {
		b := newSwitchboard()
		side := segment.Server
		if client {
			side = segment.Client
		}
		entered, goesOn := b.enter(frame{from: side, octets: data})
		if out := b.leave(entered); !goesOn || len(out) != 1 || string(out[0].octets) != string(data) {
			t.Errorf("without a rule, %x was delivered as %v", data, out)
		}
	})
}
