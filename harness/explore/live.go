package explore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"time"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/observe"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/wire"
	"github.com/finwait/finwait/topologies"
)

// Live is a Stage on the running kernel: each execution is a connection of its own
// between two hosts, over a wire that is driven by hand. It needs what
// topologies.NewPair needs.
//
// Executions on one kernel are the same whenever the choices are, because nothing in
// them depends on time: routes with a least RTO of many seconds keep the
// retransmission timer from firing, and have everything acknowledged at once, so that
// no acknowledgement waits for the 40 ms of its timer; the challenge ACKs that the
// kernel sends are not bounded for the machine as a whole, and the bound for one socket
// (tcp_invalid_ratelimit) lasts longer than an execution. Hence the order in which a
// FIN carries the acknowledgement of the peer's FIN, because the program called
// within those 40 ms, is not explored; the one in which the acknowledgement is
// dropped, or comes after that FIN, has the same effect on the peer.
//
// A program that reads on after its closing call reads whatever has arrived before
// anything else happens, as one that waits in poll(2) does.
type Live struct {
	Family topologies.Family
	// Client and Server say how each end behaves. What LastWords says is on the wire
	// when the exploration begins; where there is any, connections are without SACK. A
	// closing call that waits for the peer cannot be explored.
	Client, Server scenario.Behaviour
	// RTOMin is the least retransmission timeout; 0 is ten seconds, more than any
	// execution takes. A lesser one is for executions that are to be waited out. It must
	// not be so long that the kernel keeps FIN_WAIT2 for its sake (more than 17 s;
	// net/ipv4/tcp.c, tcp_fin_time in include/net/tcp.h).
	RTOMin time.Duration

	mu     sync.Mutex
	idle   []*bed
	closed bool
}

const defaultRTOMin = 10 * time.Second

// timeless are sysctls that make executions independent of how long they take. One that
// the kernel lacks bounds nothing there.
var timeless = map[string]string{
	// 0.5 s by default: how soon a socket may answer an unacceptable segment again.
	"net.ipv4.tcp_invalid_ratelimit": "20000",
	// As many as a u32 has room for, which means all (net/ipv4/tcp_input.c,
	// tcp_send_challenge_ack). Before Linux 6.1 the machine as a whole has a budget of
	// about a thousand a second, drawn by lot.
	"net.ipv4.tcp_challenge_ack_limit": "2147483647",
}

// patient takes away the timers that are shorter than the least RTO when more than one
// segment is in flight: the tail loss probe comes after two round trips then, and RACK's
// reordering window is part of one. Without SACK there is neither
// (net/ipv4/tcp_output.c, tcp_schedule_loss_probe; net/ipv4/tcp_input.c,
// tcp_identify_packet_loss).
var patient = map[string]string{"net.ipv4.tcp_sack": "0"}

// mostWords is as much as two segments hold. With more, three duplicate acknowledgements
// can have a segment sent again that is not lost (RFC 5681 section 3.2).
const mostWords = 2800

// Begin implements Stage. The connection is open and idle: a request and a response
// have been sent and acknowledged.
func (l *Live) Begin(ctx context.Context) (Execution, error) {
	b, err := l.bed(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin an execution: %w", err)
	}
	x := &execution{stage: l, bed: b}
	for i, as := range b.behaviours() {
		x.ends[i] = &end{side: segment.Side(i), Closing: as.Closing}
	}
	if err := x.open(ctx); err != nil {
		x.Close()
		return nil, fmt.Errorf("begin an execution: %w", err)
	}
	return x, nil
}

// Close takes down the labs that wait for another execution. Those of executions that
// are under way go when these are closed.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, b := range l.idle {
		b.close()
	}
	l.idle = nil
}

// bed is one that was used before and proved clean, or a new one.
func (l *Live) bed(ctx context.Context) (*bed, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errors.New("the stage is closed")
	}
	if n := len(l.idle); n > 0 {
		b := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return b, nil
	}
	l.mu.Unlock()
	return l.build(ctx)
}

// giveBack keeps a bed for another execution.
func (l *Live) giveBack(b *bed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		b.close()
		return
	}
	l.idle = append(l.idle, b)
}

// A bed is what one execution after another runs in.
type bed struct {
	client, server scenario.Behaviour
	family         topologies.Family
	lab            *lab.Lab
	pair           topologies.Pair
	wire           *wire.Wire
	kernels        [2]*observe.Observer
}

func (b *bed) behaviours() [2]scenario.Behaviour { return [2]scenario.Behaviour{b.client, b.server} }

func (l *Live) build(ctx context.Context) (*bed, error) {
	b := &bed{client: l.Client, server: l.Server, family: l.Family, lab: lab.New()}
	for _, as := range []*scenario.Behaviour{&b.client, &b.server} {
		if as.Closing.Name == "" {
			as.Closing = sock.ShutdownWrite
		}
		if as.Closing.Blocks {
			return nil, fmt.Errorf("%s waits for the peer: that cannot be explored", as.Closing.Name)
		}
		if as.LastWords > mostWords {
			return nil, fmt.Errorf("%d octets of last words cannot be explored, at most %d can", as.LastWords, mostWords)
		}
		as.AcksAtOnce, as.RTOMin = true, cmp.Or(as.RTOMin, l.RTOMin, defaultRTOMin)
	}
	if err := b.build(); err != nil {
		b.close()
		if errors.Is(err, lab.ErrNoIPv6) {
			err = &kernel.MissingCapability{Name: "IPv6", Err: err}
		}
		return nil, err
	}
	return b, ctx.Err()
}

func (b *bed) build() error {
	wired, err := topologies.NewWired(b.lab, b.family)
	if err != nil {
		return err
	}
	b.pair, b.wire = wired.Pair, wired.Wire
	ends := [2]*lab.End{b.pair.Client, b.pair.Server}
	for i, as := range b.behaviours() {
		if err := b.takeTime(ends[i].Host); err != nil {
			return err
		}
		if err := as.Configure(ends[i], ends[1-i]); err != nil {
			return err
		}
		if b.kernels[i], err = observe.Open(ends[i].Host); err != nil {
			return err
		}
		b.lab.OnClose(b.kernels[i].Close)
	}
	return nil
}

// takeTime takes away what would depend on how long an execution lasts.
func (b *bed) takeTime(host *lab.Host) error {
	sysctls := maps.Clone(timeless)
	if b.client.LastWords+b.server.LastWords > 0 {
		maps.Copy(sysctls, patient)
	}
	for name, value := range sysctls {
		if err := host.SetSysctl(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", host.Name, err)
		}
	}
	return nil
}

// clean returns an error if anything is left of an execution: a socket, not even one in
// TIME_WAIT, or a frame that was lost.
func (b *bed) clean() error {
	for _, side := range segment.Sides {
		switch n, err := b.kernels[side].Sockets(); {
		case err != nil:
			return err
		case n > 0:
			return fmt.Errorf("the %v has %d TCP sockets left", side, n)
		}
	}
	return b.wire.Finished()
}

func (b *bed) close() { b.lab.Close() }
