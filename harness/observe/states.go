package observe

import (
	"fmt"
	"net/netip"
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

// StateOf asks sock_diag(7) for the state of the connection between two
// addresses, seen from the host. It finds TIME_WAIT and FIN_WAIT2 mini-sockets,
// which no tracepoint and no BPF callback reports. A connection that is not
// there is Closed.
func (o *Observer) StateOf(local, remote netip.AddrPort) (State, error) {
	got, found, err := o.ask(connection{local, remote})
	if err != nil {
		return "", fmt.Errorf("ask sock_diag of %s for the state of %v to %v: %w", o.host.Name, local, remote, err)
	}
	if !found {
		return Closed, nil
	}
	return nameOf(got.state)
}

func nameOf(number uint8) (State, error) {
	if number < 1 || int(number) > len(states) {
		return "", fmt.Errorf("sock_diag reports state %d, which is none of TCP's", number)
	}
	return states[number-1], nil
}
