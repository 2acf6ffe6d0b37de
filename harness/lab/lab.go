// Package lab builds small networks out of network namespaces and veth pairs.
//
// Nothing of the machine's own network is touched: each host is a namespace of
// its own, links are created straight into the namespaces of their two ends,
// and all of it is held by file descriptors, so it goes when the lab is closed
// or the process dies, whichever comes first. Only a connection that the kernel
// has yet to finish keeps its namespace a little longer: see Namespace.Close.
package lab

import (
	"fmt"
	"net"
	"slices"
)

// A Lab is a set of hosts and the links between them. It is not safe for use
// by several goroutines while it is being built; the hosts of a finished one
// are.
type Lab struct {
	undo []func()
	ends uint16 // how many there are, for hardware addresses of their own
}

// New returns an empty lab.
func New() *Lab { return &Lab{} }

// A Host is a network namespace with a name to be called by.
type Host struct {
	*Namespace
	Name string
}

// Host adds a host without any link but its loopback, which is left down.
func (l *Lab) Host(name string) (*Host, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	l.OnClose(ns.Close)
	return &Host{Namespace: ns, Name: name}, nil
}

// newMAC returns a locally administered address that no other end of the lab
// has.
func (l *Lab) newMAC() net.HardwareAddr {
	l.ends++
	return net.HardwareAddr{0x02, 0, 0, 0, byte(l.ends >> 8), byte(l.ends)}
}

// OnClose has f called when the lab is closed, before anything that was built
// earlier is taken down.
func (l *Lab) OnClose(f func()) { l.undo = append(l.undo, f) }

// Close takes everything down in the reverse order of its building. A closed
// lab may be closed again.
func (l *Lab) Close() {
	for _, f := range slices.Backward(l.undo) {
		f()
	}
	l.undo = nil
}
