package events_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/observe/events"
	"github.com/finwait/finwait/harness/segment"
)

func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv("EVENTS_TEST_CHILD")]; ok {
		child()
		return
	}
	os.Exit(m.Run())
}

// children are what a test runs in a process of its own.
var children = map[string]func(){
	"report what is missing": reportMissing,
	"record until killed":    recordUntilKilled,
	"go without cgroup v2":   goWithoutCgroup,
	"go without BTF":         goWithoutBTF,
}

func child(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "EVENTS_TEST_CHILD="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// An orderly close, seen from the end that closes first, by every source of
// states that this kernel has.
func TestTimeWaitIsNeverReported(t *testing.T) {
	for name, c := range map[string]string{"IPv4": "192.0.2.2", "IPv6": "2001:db8::2", "IPv4 mapped into IPv6": "::ffff:192.0.2.2"} {
		t.Run(name, func(t *testing.T) {
			recorder := open(t)
			client, server := connect(t, newPair(t), netip.MustParseAddr(c))
			first, second := client.watch(t, recorder), server.watch(t, recorder)
			before := clock.Now()
			client.shutdown(t)
			server.readToEOF(t)
			server.close()
			client.readToEOF(t)
			client.close()
			after := clock.Now()

			has := sources(t, recorder, events.SockOps, events.InetSockSetState)
			for _, source := range has {
				expectStates(t, first, source, "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE")
				expectStates(t, second, source, "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE")
			}
			for _, e := range recorded(t, first) {
				if e.At < before || e.At > after {
					t.Errorf("%v happened %v before the connection was closed, or %v after", e, before.Sub(e.At), e.At.Sub(after))
				}
			}
		})
	}
}

// The numbers tell what the kernel holds acknowledged: the FIN counts as one.
func TestAcknowledgingTheFINMovesSndUnaByOne(t *testing.T) {
	recorder := open(t)
	client, server := connect(t, newPair(t), netip.MustParseAddr("192.0.2.2"))
	watch := client.watch(t, recorder)
	client.shutdown(t)
	server.readToEOF(t)
	for _, source := range sources(t, recorder, events.SockOps, events.InetSockSetState) {
		if !expectStates(t, watch, source, "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2") {
			continue
		}
		changes := only(recorded(t, watch), source, events.StateChange)
		if sent, acked := changes[0], changes[1]; acked.SndUna != sent.SndUna+1 || acked.SndUna != acked.SndNxt || acked.RcvNxt == 0 {
			t.Errorf("%s: the FIN's ACK took\n%v to\n%v", source, sent, acked)
		}
	}
}

// Once the peer's address is gone, nobody answers the FIN, and the peer's host
// drops what it gets. Which timers the kernel says it was, its counters confirm.
func TestUnansweredFINIsSentAgain(t *testing.T) {
	recorder := open(t)
	link := newPair(t)
	client, server := connect(t, link, netip.MustParseAddr("192.0.2.2"))
	here, there := client.watch(t, recorder), server.watch(t, recorder)
	before := counters(t, link)
	link.losePeerAddress(t)
	client.shutdown(t)
	has := sources(t, recorder, events.SockOps, events.TCPRetransmitSKB)
	await(t, here, has[0], events.Retransmission, 2)
	client.abort(t) // no more of them
	all, moved := recorded(t, here), counters(t, link).Moved(before)

	fin := all[0].SndNxt // the first is the step to FIN_WAIT1, before the FIN is sent
	for _, source := range has {
		by := map[events.Timer]int64{}
		for _, e := range only(all, source, events.Retransmission) {
			by[e.Timer]++
			if e.Seq != fin || e.SndUna != fin || e.SndNxt != fin+1 || e.Error != 0 {
				t.Errorf("%v, want the FIN %d, which is all there is to acknowledge", e, fin)
			}
			if source == events.TCPRetransmitSKB && (e.End != fin+1 || e.Flags.String() != "F.") {
				t.Errorf("%v, want the FIN %d to %d", e, fin, fin+1)
			}
		}
		switch source {
		case events.TCPRetransmitSKB:
			// The tracepoint may miss one on a busy machine.
			if by[events.TLP] > moved["TCPLossProbes"] || by[events.RTO] > moved["TCPTimeouts"] || by[events.TLP]+by[events.RTO] == 0 || len(by) > 2 {
				t.Errorf("%s: by timers %v, but counted were %v", source, by, moved)
			}
		case events.SockOps:
			if timeouts := only(all, source, events.Timeout); len(timeouts) != int(moved["TCPTimeouts"]) {
				t.Errorf("%s: timeouts %v, but counted were %v", source, timeouts, moved)
			}
			if by[""] != moved["RetransSegs"] {
				t.Errorf("%s: %d retransmissions, but counted were %v", source, by[""], moved)
			}
		}
	}

	t.Run("the peer's host drops each", func(t *testing.T) {
		sources(t, recorder, events.KfreeSKB)
		for _, d := range only(await(t, there, events.KfreeSKB, events.Drop, 1), events.KfreeSKB, events.Drop) {
			if d.Segment != nil && d.Segment.Flags.Has(segment.RST) {
				continue // of the closing call
			}
			if d.Segment == nil || d.Segment.Seq != fin || d.Segment.Flags.String() != "F." || d.Segment.Length != 0 {
				t.Errorf("dropped was %v, want the FIN %d", d, fin)
			}
			if d.Reason == "" || strings.HasPrefix(d.Reason, "reason") {
				t.Errorf("%v has no name for its reason", d)
			}
		}
	})
}

func TestResetIsReportedAtTheEndThatSendsIt(t *testing.T) {
	recorder := open(t)
	client, server := connect(t, newPair(t), netip.MustParseAddr("192.0.2.2"))
	here, there := client.watch(t, recorder), server.watch(t, recorder)
	sources(t, recorder, events.TCPSendReset)

	server.abort(t)
	client.awaitReset(t)
	if resets := only(recorded(t, here), events.TCPSendReset, events.Reset); len(resets) != 0 {
		t.Errorf("the client sent none, and reports %v", resets)
	}
	resets := only(recorded(t, there), events.TCPSendReset, events.Reset)
	if len(resets) != 1 || resets[0].SndNxt == 0 || resets[0].Segment != nil {
		t.Errorf("the server reports %v, want one that answers no segment", resets)
	}
}

// Labs side by side have the same addresses, and here the same ports too. What
// is dropped where no socket has a part in it is told apart by the namespace.
func TestAWatchHasNothingOfOtherConnections(t *testing.T) {
	recorder := open(t)
	source := sources(t, recorder, events.SockOps, events.InetSockSetState)[0]
	from, to := netip.MustParseAddrPort("192.0.2.1:0"), netip.MustParseAddrPort("192.0.2.2:0")
	var clients, servers []*events.Watch
	for i := range 3 {
		link := newPair(t)
		client, server := connectBetween(t, link, from, to)
		from, to = client.local, client.remote
		clients, servers = append(clients, client.watch(t, recorder)), append(servers, server.watch(t, recorder))
		if i == 1 { // the others stay as they are
			link.losePeerAddress(t)
			client.shutdown(t)
		}
	}
	await(t, clients[1], source, events.StateChange, 1)
	if recorder.Missing()[events.KfreeSKB] == nil {
		await(t, servers[1], events.KfreeSKB, events.Drop, 1)
	}
	for _, w := range []*events.Watch{clients[0], servers[0], clients[2], servers[2]} {
		if got := recorded(t, w); len(got) > 0 {
			t.Errorf("where nothing happened there is %v", got)
		}
	}
}

// A full ring loses what comes, and says how much.
func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	recorder, err := events.OpenWithRing(os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	source := sources(t, recorder, events.SockOps, events.InetSockSetState)[0]
	pair := newPair(t)
	var clients []*conn
	var watches []*events.Watch
	for range os.Getpagesize() / 64 { // no record is that small
		client, _ := connect(t, pair, netip.MustParseAddr("192.0.2.2"))
		clients, watches = append(clients, client), append(watches, client.watch(t, recorder))
	}
	for _, c := range clients {
		c.shutdown(t)
	}
	for _, c := range clients {
		c.awaitFinWait2(t)
	}
	var got int
	for i, w := range watches {
		recording, err := w.Recording()
		if err != nil {
			t.Fatal(err)
		}
		if recording.Lost == 0 {
			t.Errorf("watch %d knows of no loss", i)
		}
		if len(only(recording.Events, source, events.StateChange)) > 0 {
			got++
		}
	}
	if got == 0 || got == len(watches) {
		t.Errorf("%d of %d connections have events: the ring was not filled", got, len(watches))
	}
	client, _ := connect(t, pair, netip.MustParseAddr("192.0.2.2"))
	fresh := client.watch(t, recorder)
	client.shutdown(t)
	expectStates(t, fresh, source, "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2")
}

func TestNothingSurvivesSIGKILL(t *testing.T) {
	sources(t, open(t), events.Sources...) // if there is nothing to leave behind
	cmd := child(t, "record until killed")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []ebpf.ProgramID
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != ""; {
		id, err := strconv.ParseUint(lines.Text(), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ebpf.ProgramID(id))
	}
	if len(ids) == 0 {
		t.Fatal("the child loaded no program")
	}
	for _, id := range ids {
		if !loaded(t, id) {
			t.Errorf("program %d is gone before its process", id)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); slices.ContainsFunc(ids, func(id ebpf.ProgramID) bool { return loaded(t, id) }); {
		if time.Now().After(deadline) {
			t.Fatalf("of the programs %v some are still there", ids)
		}
		time.Sleep(10 * time.Millisecond) // the kernel frees them after a grace period
	}
}

// recordUntilKilled prints the numbers of its programs, and an empty line.
func recordUntilKilled() {
	recorder, err := events.Open()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, id := range recorder.Programs() {
		fmt.Println(id)
	}
	fmt.Println()
	_ = unix.Pause()
}

func loaded(t *testing.T, id ebpf.ProgramID) bool {
	t.Helper()
	p, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	return true
}

// open opens a recorder and tells what it lacks.
func open(t testing.TB) *events.Recorder {
	t.Helper()
	recorder, err := events.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	for _, s := range events.Sources {
		missing := recorder.Missing()[s]
		if missing == nil {
			t.Logf("%s: recorded", s)
			continue
		}
		t.Logf("%s: %v", s, missing)
		var lack *kernel.MissingCapability
		if !errors.As(missing, &lack) {
			t.Errorf("%s is missing for no lack of a capability", s)
		}
	}
	return recorder
}

// sources picks those that the kernel has, and skips the test if it has none.
func sources(t testing.TB, r *events.Recorder, want ...events.Source) (has []events.Source) {
	t.Helper()
	for _, s := range want {
		if r.Missing()[s] == nil {
			has = append(has, s)
		}
	}
	if len(has) == 0 {
		t.Skipf("this kernel has none of %v", want)
	}
	return has
}

func recorded(t testing.TB, w *events.Watch) []events.Event {
	t.Helper()
	recording, err := w.Recording()
	if err != nil {
		t.Fatal(err)
	}
	if recording.Lost != 0 {
		t.Fatalf("%d events were lost", recording.Lost)
	}
	return recording.Events
}

func only(all []events.Event, source events.Source, kind events.Kind) (some []events.Event) {
	for _, e := range all {
		if e.Source == source && e.Kind == kind {
			some = append(some, e)
		}
	}
	return some
}

// await waits until a source has reported some events of a kind.
func await(t testing.TB, w *events.Watch, source events.Source, kind events.Kind, count int) (all []events.Event) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		all = recorded(t, w)
		if len(only(all, source, kind)) >= count {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not report %d times a %s: %v", source, count, kind, all)
		}
	}
}

// expectStates waits for the last of the states, which TCP may reach after the
// program was told of the end. A tracepoint may miss some on a busy machine, and
// nothing counts that: then the answer is no.
func expectStates(t *testing.T, w *events.Watch, source events.Source, want ...observe.State) bool {
	t.Helper()
	var got []observe.State
	for deadline := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = nil
		for i, e := range only(recorded(t, w), source, events.StateChange) {
			if i == 0 {
				got = append(got, e.Old)
			}
			got = append(got, e.New)
		}
	}
	if slices.Equal(got, want) {
		return true
	}
	if source == events.SockOps || len(slices.DeleteFunc(got, func(s observe.State) bool { return slices.Contains(want, s) })) > 0 {
		t.Errorf("%s went through %v, want %v", source, got, want)
	}
	t.Logf("%s missed some of %v", source, want)
	return false
}

// A pair of hosts, whose link has a client's end and a server's.
type pair struct{ client, server *lab.End }

func newPair(t testing.TB) pair {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	plug := func(name string, addresses ...string) lab.Plug {
		host, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		p := lab.Plug{Host: host, Name: "eth0"}
		for _, a := range addresses {
			p.Addresses = append(p.Addresses, netip.MustParsePrefix(a))
		}
		return p
	}
	link, err := l.Link(plug("client", "192.0.2.1/24", "2001:db8::1/64"), plug("server", "192.0.2.2/24", "2001:db8::2/64"))
	if err != nil {
		t.Fatal(err)
	}
	return pair{link.Ends[0], link.Ends[1]}
}

// counters are the client's.
func counters(t *testing.T, p pair) observe.Counters {
	t.Helper()
	o, err := observe.Open(p.client.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c, err := o.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// losePeerAddress takes the server's IPv4 address away. The client keeps its
// neighbour.
func (p pair) losePeerAddress(t *testing.T) {
	t.Helper()
	host := p.server.Host
	link, err := host.Netlink.LinkByName(p.server.Name)
	if err != nil {
		t.Fatal(err)
	}
	address, err := netlink.ParseAddr("192.0.2.2/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Netlink.AddrDel(link, address); err != nil {
		t.Fatal(err)
	}
}
