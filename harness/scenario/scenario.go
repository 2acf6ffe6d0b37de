// Package scenario drives one teardown from set-up to verdict: it builds a lab,
// connects a client to a server, disturbs the order of their segments, lets
// both ends close, and records what the taps and the kernel say of it.
package scenario

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// A Scenario describes a teardown. The zero value of every field but Name and
// Family is of use.
type Scenario struct {
	// Name is stable, and the same in the spec tree, the record and the gate:
	// "overtaken-fin/server-shutdown/ipv4".
	Name string
	// Family is the version of IP.
	Family topologies.Family
	// Client and Server say how each end behaves.
	Client, Server Behaviour
	// Disturbance changes the order in which segments arrive; nil changes
	// nothing.
	Disturbance Disturbance
	// ServerFirst has the client close only when its acknowledgement of the
	// server's FIN has arrived, and it has been told that what it has said has.
	// Otherwise both close at once: first the client, then, with nothing in
	// between, the server.
	ServerFirst bool
	// Good is the outcome on a good kernel; the zero value is teardown.Clean.
	Good teardown.Outcome
	// Race marks a scenario whose outcome scheduling decides on some kernels: it
	// is recorded, and not judged.
	Race bool
	// UntilGone are the ends that a trial goes on for until their kernels no longer
	// know the connection: until what is left of it has been waited for, or was
	// given up. Without any it is over as soon as the taps have seen both ends
	// close.
	UntilGone []segment.Side
	// Reopens has the client, once the trial is recorded, open a connection anew from
	// the port that it had, again and again until it is let. Its sysctls have to leave
	// it no other port.
	Reopens bool
	// Noise is what measures how late the machine is, where the clock goes on
	// meanwhile; nil where it is a virtual one. A verdict takes it into account.
	Noise *clock.Noise
	// Deadline is how long after the first closing call a trial is given up as
	// stuck; 0 is ten seconds, enough for five retransmissions, and an hour where
	// an end is waited for until it is gone.
	Deadline time.Duration
}

// A Behaviour is how one end of the connection behaves.
type Behaviour struct {
	// Closing is the call that ends the connection; the zero value is
	// sock.ShutdownWrite.
	Closing sock.Closing
	// Stays has the end make no such call: it keeps its socket, and does not read
	// from it.
	Stays bool
	// Prepare, if not nil, is called with the connected socket before anything
	// is sent: for socket options.
	Prepare func(*sock.Conn) error
	// Sysctls are set in the end's namespace before anything else, by their
	// dotted names.
	Sysctls map[string]string
	// RTOMin is the least retransmission timeout of the end's route to its peer
	// (ip-route(8), rto_min); 0 leaves it to the kernel.
	RTOMin time.Duration
	// AcksAtOnce has the end acknowledge at once whatever it would otherwise wait
	// with (ip-route(8), quickack).
	AcksAtOnce bool
	// Says is how many octets the end sends before the disturbance is in place.
	// Its peer does not read them before it has closed, and never if it does not
	// read on; what the peer's window has no room for stays unsent.
	Says int
	// FillsWindow has the end wait, with more to say, until its peer's window is shut
	// to the last octet: what is left of a window that has no room for a segment, the
	// kernel uses only when the probe timer is over, after an RTO.
	FillsWindow bool
	// LastWords is how many octets the end sends after that, right before the
	// closing calls: what the disturbance is to hold.
	LastWords int
}

// A Disturbance changes the order in which segments arrive.
type Disturbance interface {
	// Available returns a *kernel.MissingCapability where the running kernel
	// cannot do it.
	Available() error
	// Asks lists the overtakings that it is to bring about. A trial that shows
	// another set is inconclusive.
	Asks() []teardown.Overtaking
	// Build builds the lab that it works in.
	Build(l *lab.Lab, family topologies.Family) (Stage, error)
}

// A Stage is a lab with a disturbance in it.
type Stage interface {
	// Ends are those of the connection, and of the recording.
	Ends() topologies.Pair
	// Watch has broken called, from any goroutine, if the stage breaks before its
	// lab is closed.
	Watch(broken func(error))
	// Install puts the disturbance in place between two idle ends of a
	// connection, until the lab is closed or the stage cleared.
	Install(client, server netip.AddrPort) (Installed, error)
}

// A Clearer is a stage that can be used for one trial after another.
type Clearer interface {
	// Clear takes the installed disturbance back, so that the stage is as it
	// was built. An error says why it is not.
	Clear() error
}

// An Installed disturbance is at work.
type Installed interface {
	// Idle reports whether it holds nothing back at the moment.
	Idle() (bool, error)
	// Fired returns an error that names the disturbance if it did not do at
	// least once what it is for.
	Fired() error
	// KeptUp returns an error if it delayed what it was not to delay for so long
	// that a connection with that RTO would send again what is not lost.
	KeptUp(rto time.Duration) error
}

const (
	// RequestSize is how many octets the client sends before the teardown, and
	// ResponseSize how many it gets: those of the case finwait was made for.
	RequestSize = 4415
	// ResponseSize is the server's part of it.
	ResponseSize    = 752
	defaultDeadline = 10 * time.Second
	// longDeadline is more than the longest wait that a kernel is known for: 16
	// minutes, of what is never acknowledged (tcp(7), tcp_retries2).
	longDeadline = time.Hour
)

func (s Scenario) deadline() time.Duration {
	if len(s.UntilGone) > 0 {
		return cmp.Or(s.Deadline, longDeadline)
	}
	return cmp.Or(s.Deadline, defaultDeadline)
}

// TakesMinutes reports whether a trial may take minutes of the kernel's time.
func (s Scenario) TakesMinutes() bool { return len(s.UntilGone) > 0 || s.Reopens }

// Expected is how a good kernel ends the scenario.
func (s Scenario) Expected() teardown.Outcome { return cmp.Or(s.Good, teardown.Clean) }

func (s Scenario) asks() []teardown.Overtaking {
	if s.Disturbance == nil {
		return nil
	}
	return s.Disturbance.Asks()
}

func (b Behaviour) closing() sock.Closing {
	if b.Stays {
		return sock.Closing{Keeps: true}
	}
	if b.Closing.Name == "" {
		return sock.ShutdownWrite
	}
	return b.Closing
}
