package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// open opens a wire between two hosts of which the client can send the server
// datagrams.
func open(t *testing.T) (w *Wire, client, server *lab.End, near *lab.End) {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	host := func(name string) *lab.Host {
		h, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	cable := host("wire")
	link := func(name, address string) *lab.Link {
		made, err := l.Link(
			lab.Plug{Host: host(name), Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}},
			lab.Plug{Host: cable, Name: name},
		)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	left, right := link("client", "192.0.2.1/24"), link("server", "192.0.2.2/24")
	if err := lab.Introduce(left.Ends[0], right.Ends[0]); err != nil {
		t.Fatal(err)
	}
	w, err := Open(left.Ends[1], right.Ends[1])
	if err != nil {
		t.Fatal(err)
	}
	l.OnClose(w.Close)
	return w, left.Ends[0], right.Ends[0], left.Ends[1]
}

// datagram sends one from the client to the server, where nobody awaits it.
func datagram(t *testing.T, client, server *lab.End) {
	t.Helper()
	if err := client.Host.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, make([]byte, 8), 0, &unix.SockaddrInet4{Port: 9, Addr: server.Addresses[0].Addr().As4()})
	}); err != nil {
		t.Fatal(err)
	}
}

func awaitDeath(t *testing.T, w *Wire) {
	t.Helper()
	select {
	case <-w.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the wire still lives")
	}
}

func TestAWireWhoseLinkGoesSaysSo(t *testing.T) {
	t.Parallel()
	w, _, _, near := open(t)
	if err := w.Err(); err != nil {
		t.Fatalf("a wire at work: %v", err)
	}
	link, err := near.Host.Netlink.LinkByName(near.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Host.Netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, w)
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "the wire between client and server of wire stopped: receive from the client") {
		t.Errorf("it says %v", err)
	}
	if !errors.Is(w.Finished(), w.Err()) {
		t.Errorf("it finished with %v", w.Finished())
	}
	w.Close()
}

// Whatever is wrong with a wire, its trial alone dies of it.
func TestAWireThatPanicsStops(t *testing.T) {
	t.Parallel()
	w, client, server, _ := open(t)
	w.mu.Lock()
	w.board.decoder = nil
	w.mu.Unlock()
	datagram(t, client, server)
	awaitDeath(t, w)
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "panic: ") || !strings.Contains(err.Error(), "switchboard.go") {
		t.Errorf("it says %v", err)
	}
	if w.Idle(); w.Finished() == nil {
		t.Error("it finished as if nothing was wrong")
	}
}

func TestAClosedWireIsDone(t *testing.T) {
	t.Parallel()
	w, _, _, _ := open(t)
	w.Close()
	awaitDeath(t, w)
	if err := w.Err(); err != nil {
		t.Errorf("it was closed, and says %v", err)
	}
}

// syn sends a SYN from the client to the server, once.
func syn(t *testing.T, client, server *lab.End) {
	t.Helper()
	if err := client.Host.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: server.Addresses[0].Addr().As4()})
		if !errors.Is(err, unix.EINPROGRESS) {
			return fmt.Errorf("connect: %w", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// stall keeps a wire from its work for so long, while what send sends waits for it.
func (w *Wire) stall(d time.Duration, send func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	send()
	time.Sleep(d)
}

// stalledOnce has a wire stall while datagrams wait for it until it tells, and
// returns how many there were. The first frames may have no time stamp but that of
// their reading: the kernel turns stamping on from a work item (net/core/dev.c,
// net_enable_timestamp).
func stalledOnce(t *testing.T, w *Wire, d time.Duration, client, server *lab.End) (sent int) {
	t.Helper()
	for give := time.Now().Add(30 * time.Second); w.KeptUp(d) == nil; sent++ {
		if time.Now().After(give) {
			t.Fatalf("it says that it kept a frame for at most %v", w.Counts().LongestStay)
		}
		w.stall(d, func() { datagram(t, client, server) })
	}
	return sent
}

// A wire that was kept from its work tells for how long.
func TestAWireThatStallsSaysSo(t *testing.T) {
	t.Parallel()
	w, client, server, _ := open(t)
	const stall = 20 * time.Millisecond
	sent := stalledOnce(t, w, stall, client, server)
	if err := w.KeptUp(stall); !strings.Contains(err.Error(), "it did not keep up") {
		t.Errorf("it says %v", err)
	}
	if err := w.KeptUp(time.Hour); err != nil {
		t.Errorf("held against an hour: %v", err)
	}
	for give := time.Now().Add(30 * time.Second); w.Counts().Passed[segment.Client] < sent && time.Now().Before(give); {
		runtime.Gosched()
	}
	if w.Arm(); w.Counts().LongestStay >= stall {
		t.Error("what was before the rules counts")
	}
}

// A stall counts whatever a rule does to the frame afterwards.
func TestAStallCountsUnderEveryRule(t *testing.T) {
	t.Parallel()
	const stall, delay = 20 * time.Millisecond, time.Millisecond
	for _, text := range []string{
		"duplicate client syn", "delay client syn by 1ms",
		"hold client syn until client fin", "swap client syn with client fin",
		"hold client syn until client syn", // which lets go of nothing
		"inject client R 1:1(0) after client syn",
	} {
		w, client, server, _ := open(t)
		stalledOnce(t, w, stall, client, server)
		w.Arm(parse(t, text)...)
		w.stall(stall, func() { syn(t, client, server) })
		for give := time.Now().Add(30 * time.Second); w.KeptUp(stall-delay) == nil; runtime.Gosched() {
			if time.Now().After(give) {
				t.Fatalf("%s: it says that it kept a frame for at most %v", text, w.Counts().LongestStay)
			}
		}
	}
}

// Of a stay, what rules do is not the wire's, and the round trip is not counted.
func TestOnlyTheWiresOwnStayCounts(t *testing.T) {
	t.Parallel()
	w := &Wire{board: newSwitchboard(), oneWay: time.Minute}
	hourAgo := clock.Now().Add(-time.Hour)
	if w.note(frame{came: hourAgo, kept: true}); w.board.counts.LongestStay != 0 {
		t.Errorf("a frame that a rule kept stayed for %v", w.board.counts.LongestStay)
	}
	delay := &armed{Rule: parse(t, "delay client fin by 30m")[0]}
	w.note(frame{came: hourAgo, rule: delay})
	if got := w.board.counts.LongestStay; got < 29*time.Minute || got >= 30*time.Minute {
		t.Errorf("a frame that came an hour ago stayed for %v beyond 31 minutes", got)
	}
	w.note(frame{came: hourAgo})
	if got := w.board.counts.LongestStay; got < 59*time.Minute || got >= time.Hour {
		t.Errorf("a frame that came an hour ago stayed for %v beyond a minute", got)
	}
}

// What is on its way when rules are armed is none of theirs, nor any longer of those
// before: it is neither kept nor waited for, and how late it is is not counted.
func TestRulesLeaveAloneWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	const far = time.Hour
	w := &Wire{board: newSwitchboard(), oneWay: far}
	w.Arm(parse(t, "hold client fin until server rst", "delay server fin by 1h")...)
	for _, step := range story[:5] {
		if err := w.enter(frame{from: step.from, octets: octets(t, step.from, step.tcp), came: clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	w.Arm(parse(t, "hold client ack-of-fin until server fin")...)
	ack, _ := w.board.enter(frame{from: story[5].from, octets: octets(t, story[5].from, story[5].tcp)})
	if out := w.board.leave(ack); len(out) != 0 {
		t.Fatalf("what waits for what is to come was delivered at once, as %d frames", len(out))
	}
	for _, f := range w.underWay {
		if out := w.board.leave(f.frame); len(out) != 1 {
			t.Errorf("a frame of the %v was delivered as %d", f.from, len(out))
		}
		w.note(f.frame)
	}
	if len(w.underWay) != 5 || w.Finished() == nil || w.board.counts.LongestStay != 0 {
		t.Errorf("%d frames were under way, the wire finished with %v, and kept them for %v",
			len(w.underWay), w.Finished(), w.board.counts.LongestStay)
	}
}

// What a rule had kept, or made itself, is not late when it leaves.
func TestWhatARuleKeptIsNotLate(t *testing.T) {
	t.Parallel()
	b := newSwitchboard()
	b.arm(parse(t, "hold client fin until client ack-of-fin", "inject client R 1:1(0) after client ack-of-fin"))
	var out []frame
	for _, step := range story[:6] {
		f, _ := b.enter(frame{from: step.from, octets: octets(t, step.from, step.tcp)})
		out = b.leave(f)
	}
	if len(out) != 3 || out[0].kept || !out[1].kept || !out[2].kept {
		t.Errorf("behind what they wait for, what was held and injected leave as %+v", out)
	}
}
