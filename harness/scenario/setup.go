package scenario

import (
	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/teardown"
)

// setup is how an actor with a socket was set up.
func (a *actor) setup() *teardown.Setup {
	s := &teardown.Setup{Domain: "AF_INET", Sysctls: a.Sysctls, RTOMin: a.RTOMin, QuickACK: a.AcksAtOnce}
	if a.conn.Local.Addr().Is6() {
		s.Domain = "AF_INET6"
	}
	for _, o := range a.conn.Options() {
		s.Options = append(s.Options, teardown.SocketOption(o))
	}
	return s
}

// send has an actor write, and receive has it read, so many octets.
func (r *run) send(a *actor, octets int) error {
	at := clock.Now()
	err := a.conn.Write(make([]byte, octets))
	r.note(a, at, "write", octets)
	return err
}

func (r *run) receive(a *actor, octets int) error {
	err := a.conn.Read(octets)
	r.note(a, clock.Now(), "read", octets)
	return err
}

// note writes down what an actor's program did.
func (r *run) note(a *actor, at clock.Instant, name string, octets int) {
	a.end.Setup.Calls = append(a.end.Setup.Calls, teardown.Call{At: r.capture.Since(at), Name: name, Octets: octets})
}
