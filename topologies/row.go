package topologies

import "github.com/finwait/finwait/harness/lab"

// row is a client and a server with a host between them.
type row struct{ client, between, server *lab.Host }

// newRow adds the hosts of a row to a lab, without links.
func newRow(l *lab.Lab, between string) (hosts row, err error) {
	if hosts.client, err = l.Host("client"); err != nil {
		return row{}, err
	}
	if hosts.between, err = l.Host(between); err != nil {
		return row{}, err
	}
	if hosts.server, err = l.Host("server"); err != nil {
		return row{}, err
	}
	return hosts, nil
}
