package topologies

import (
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/wire"
)

// Wired is a client and a server with a wire between them that can hold, drop,
// duplicate and delay chosen segments.
type Wired struct {
	Pair
	Wire *wire.Wire
}

// NewWired builds a client, a server and a wire in l, which takes them down. Without
// options the wire has no length. It needs what NewPair needs, and nothing that a
// kernel might lack besides.
func NewWired(l *lab.Lab, family Family, options ...wire.Option) (Wired, error) {
	addr, err := family.addresses()
	if err != nil {
		return Wired{}, err
	}
	hosts, err := newRow(l, "wire")
	if err != nil {
		return Wired{}, err
	}
	near, err := l.Link(plug(hosts.client, addr.client), lab.Plug{Host: hosts.between, Name: "client"})
	if err != nil {
		return Wired{}, err
	}
	far, err := l.Link(plug(hosts.server, addr.server), lab.Plug{Host: hosts.between, Name: "server"})
	if err != nil {
		return Wired{}, err
	}
	w := Wired{Pair: Pair{Client: near.Ends[0], Server: far.Ends[0]}}
	if err := lab.Introduce(w.Client, w.Server); err != nil {
		return Wired{}, err
	}
	if w.Wire, err = wire.Open(near.Ends[1], far.Ends[1], options...); err != nil {
		return Wired{}, err
	}
	l.OnClose(w.Wire.Close)
	return w, nil
}
