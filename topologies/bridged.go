package topologies

import (
	"errors"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
)

// Bridged is a client and a server on two ports of a bridge, in a host of its
// own: a virtual switch.
type Bridged struct {
	Pair
	// ToClient and ToServer are the bridge's ports. What a qdisc there keeps
	// back still counts as its sender's: a bridge does not part a segment from
	// the socket that it was sent by.
	ToClient, ToServer *lab.End
}

// NewBridged builds a client, a switch and a server in l, which takes them down.
// It needs what NewPair needs; on a kernel without bridges it returns a
// *kernel.MissingCapability.
func NewBridged(l *lab.Lab, family Family) (Bridged, error) {
	addr, err := family.addresses()
	if err != nil {
		return Bridged{}, err
	}
	hosts, err := newRow(l, "switch")
	if err != nil {
		return Bridged{}, err
	}
	near, err := l.Link(lab.Plug{Host: hosts.between, Name: "client"}, plug(hosts.client, addr.client))
	if err != nil {
		return Bridged{}, err
	}
	far, err := l.Link(lab.Plug{Host: hosts.between, Name: "server"}, plug(hosts.server, addr.server))
	if err != nil {
		return Bridged{}, err
	}
	b := Bridged{Pair: Pair{Client: near.Ends[1], Server: far.Ends[1]}, ToClient: near.Ends[0], ToServer: far.Ends[0]}
	err = hosts.between.Bridge("bridge", b.ToClient, b.ToServer)
	if errors.Is(err, lab.ErrNoBridge) {
		err = &kernel.MissingCapability{Name: "bridge", Err: err}
	}
	if err != nil {
		return Bridged{}, err
	}
	if err := lab.Introduce(b.Client, b.Server); err != nil {
		return Bridged{}, err
	}
	return b, nil
}
