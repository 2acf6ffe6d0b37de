package observe

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/sockdiag"
)

// A State is a TCP state as the kernel writes it (include/net/tcp_states.h).
type State string

// Closed is the state of a connection that the kernel no longer knows.
const Closed State = "CLOSE"

// states are in the order of the kernel's numbers, which begin at 1.
var states = []State{
	"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	Closed, "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
}

// A Timer is what a socket waits for, by the number that sock_diag gives it
// (net/ipv4/inet_diag.c, inet_sk_diag_fill; tcp_diag.c, inet_twsk_diag_fill). One
// that is not known here is "timer 6" and so on.
type Timer string

// The timers, in the order of those numbers.
const (
	NoTimer Timer = ""
	// Retransmit is one for the RTO, the tail loss probe and RACK's wait alike.
	Retransmit Timer = "retransmit"
	// Keepalive is also what bounds FIN_WAIT2 of a full socket that no program
	// holds.
	Keepalive Timer = "keepalive"
	// TimeWait bounds a mini-socket, in FIN_WAIT2 as well as in TIME_WAIT.
	TimeWait Timer = "timewait"
	// Probe asks whether the peer's window is open.
	Probe Timer = "probe"
	// DelayedACK is what older kernels report as no timer.
	DelayedACK Timer = "delayed-ack"
)

var timers = []Timer{NoTimer, Retransmit, Keepalive, TimeWait, Probe, DelayedACK}

// A Status is what sock_diag(7) says of one end of a connection.
type Status struct {
	State State
	// Timer is what it waits for, and Expires in how long that is over, in whole
	// milliseconds.
	Timer   Timer
	Expires time.Duration
	// Held is true where a program holds the socket.
	Held bool
}

// StatusOf asks sock_diag(7) about the connection between two addresses, seen
// from the host. It finds TIME_WAIT and FIN_WAIT2 mini-sockets, which no
// tracepoint and no BPF callback reports. A connection that is not there is
// Closed.
func (o *Observer) StatusOf(local, remote netip.AddrPort) (Status, error) {
	fail := func(err error) (Status, error) {
		return Status{}, fmt.Errorf("ask sock_diag of %s for the state of %v to %v: %w", o.host.Name, local, remote, err)
	}
	got, found, err := o.ask(sockdiag.Of(local, remote))
	if err != nil {
		return fail(err)
	}
	if !found {
		return Status{State: Closed}, nil
	}
	status, err := statusOf(got)
	if err != nil {
		return fail(err)
	}
	return status, nil
}

func statusOf(s sockdiag.Socket) (Status, error) {
	state, err := nameOf(s.State)
	if err != nil {
		return Status{}, err
	}
	return Status{
		State: state, Timer: timerOf(s.Timer),
		Expires: time.Duration(s.Expires) * time.Millisecond, Held: s.Inode != 0,
	}, nil
}

// StateOf is the state of StatusOf.
func (o *Observer) StateOf(local, remote netip.AddrPort) (State, error) {
	status, err := o.StatusOf(local, remote)
	return status.State, err
}

func timerOf(number uint8) Timer {
	if int(number) < len(timers) {
		return timers[number]
	}
	return Timer(fmt.Sprintf("timer %d", number))
}

func nameOf(number uint8) (State, error) {
	if number < 1 || int(number) > len(states) {
		return "", fmt.Errorf("sock_diag reports state %d, which is none of TCP's", number)
	}
	return states[number-1], nil
}
