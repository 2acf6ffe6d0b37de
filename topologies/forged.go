package topologies

import (
	"net/netip"

	"github.com/finwait/finwait/harness/lab"
)

// NewForged builds a pair in l, as NewPair does, whose client is to be forged:
// the client's host has no IP address, so that its kernel answers nobody.
// Client.Addresses are those by which the server's host knows it.
func NewForged(l *lab.Lab, family Family) (Pair, error) {
	addr, err := family.addresses()
	if err != nil {
		return Pair{}, err
	}
	pair, err := newPair(l, nil, addr.server)
	if err != nil {
		return Pair{}, err
	}
	pair.Client.Addresses = []netip.Prefix{addr.client}
	return pair, lab.Introduce(pair.Client, pair.Server)
}
