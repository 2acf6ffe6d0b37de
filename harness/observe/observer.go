// Package observe asks the kernel what it says of itself: the counters of a
// namespace's TCP and the states of its sockets.
package observe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
)

// An Observer asks the kernel about one host. What it asks by is opened once, in
// the host's namespace, and keeps that namespace until the Observer is closed.
// Several goroutines may ask for the state of connections; what else there is to
// ask is for one.
type Observer struct {
	host   *lab.Host
	asking sync.Mutex
	diag   *nl.SocketHandle

	snmp, netstat, sockstat *os.File
	sockstat6               *os.File // nil on a kernel without IPv6
	buffer                  []byte
}

// Open opens what a host is asked by. The Observer has to be closed. On a kernel
// without tcp_diag the error is a *kernel.MissingCapability.
func Open(host *lab.Host) (*Observer, error) {
	o := &Observer{host: host, diag: &nl.SocketHandle{}, buffer: make([]byte, largest)}
	err := host.Do(func() (err error) {
		if o.diag.Socket, err = nl.Subscribe(unix.NETLINK_INET_DIAG); err != nil {
			return fmt.Errorf("open sock_diag: %w", err)
		}
		return o.openFiles()
	})
	if err == nil {
		err = o.proveDiag()
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("observe %s: %w", host.Name, err)
	}
	return o, nil
}

// proveDiag makes a dump, because the answer to a question after one connection
// is the same where the kernel has no tcp_diag as where it has no such
// connection: ENOENT.
func (o *Observer) proveDiag() error {
	_, err := lab.Dump(func() ([]*netlink.Socket, error) { return o.host.Netlink.SocketDiagTCP(unix.AF_INET) })
	if err != nil {
		return fmt.Errorf("ask sock_diag for all sockets: %w", lacking(err))
	}
	return nil
}

// openFiles has to be called inside the namespace. /proc/net would be
// /proc/self/net, the namespace of the process's first thread. An open file is
// of the namespace that it was opened in (fs/proc/proc_net.c, single_open_net).
func (o *Observer) openFiles() error {
	for _, f := range []struct {
		name string
		file **os.File
	}{{"snmp", &o.snmp}, {"netstat", &o.netstat}, {"sockstat", &o.sockstat}, {"sockstat6", &o.sockstat6}} {
		var err error
		*f.file, err = os.Open("/proc/thread-self/net/" + f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.file == &o.sockstat6:
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w (is /proc mounted?)", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// Close lets go of the namespace.
func (o *Observer) Close() {
	if o.diag.Socket != nil {
		o.diag.Socket.Close()
	}
	for _, file := range []*os.File{o.snmp, o.netstat, o.sockstat, o.sockstat6} {
		file.Close() // of nil, an error
	}
}

// largest is more than any of the files holds.
const largest = 32 << 10

// text reads a file anew, at once: what is read from its beginning is made at
// that moment (fs/seq_file.c, seq_read_iter). It is good until the next call.
func (o *Observer) text(file *os.File) ([]byte, error) {
	n, err := file.ReadAt(o.buffer, 0)
	if err == nil {
		return nil, fmt.Errorf("%s holds more than %d octets", file.Name(), largest)
	}
	if err != io.EOF {
		return nil, err
	}
	return o.buffer[:n], nil
}
