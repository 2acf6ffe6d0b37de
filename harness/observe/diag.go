package observe

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/sockdiag"
)

// ask asks sock_diag(7) for one connection. There may be none, and then it is
// the kernel's own listener that answers, if there is one.
func (o *Observer) ask(about sockdiag.Request) (got sockdiag.Socket, found bool, err error) {
	messages, err := o.request(nl.SOCK_DIAG_BY_FAMILY, 0, about)
	switch {
	case errors.Is(err, unix.ENOENT):
		return sockdiag.Socket{}, false, nil
	case err != nil:
		return sockdiag.Socket{}, false, err
	case len(messages) != 1:
		return sockdiag.Socket{}, false, fmt.Errorf("sock_diag answered a question after one connection with %d messages", len(messages))
	}
	got, err = sockdiag.Read(messages[0])
	return got, err == nil && got.IsOf(about.Local, about.Remote), err
}

func (o *Observer) request(what, flags int, about sockdiag.Request) ([][]byte, error) {
	o.asking.Lock()
	defer o.asking.Unlock()
	request := nl.NewNetlinkRequest(what, flags)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_INET_DIAG: o.diag}
	request.AddData(about)
	return request.Execute(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY)
}

// Destroy ends what is left of a connection at once, mini-sockets included
// (SOCK_DESTROY; CONFIG_INET_DIAG_DESTROY). That there is nothing left is no
// error; a kernel that cannot destroy anything says so all the same, by
// unix.EOPNOTSUPP.
func (o *Observer) Destroy(local, remote netip.AddrPort) error {
	var err error
	// A mini-socket may have taken the socket's place since the kernel was asked
	// for its cookie. It has one of its own, and nothing takes its place.
	for range 2 {
		var left bool
		if left, err = o.destroy(sockdiag.Of(local, remote)); !left {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("destroy the connection of %s from %v to %v: %w", o.host.Name, local, remote, err)
	}
	return nil
}

// destroy destroys the socket that is found to be the connection's: by its cookie,
// because by its addresses the kernel would find the listener where the connection
// is gone. left tells that there was one, which was not there any more.
func (o *Observer) destroy(about sockdiag.Request) (left bool, err error) {
	got, found, err := o.ask(about)
	if err != nil {
		return false, err
	}
	about.Cookie = got.Cookie
	if !found {
		about.Cookie = 0 // which no socket has
	}
	_, err = o.request(nl.SOCK_DESTROY, unix.NLM_F_ACK, about)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESTALE) {
		return found, nil
	}
	return false, err
}

// lacking says what it means that sock_diag has nobody to hand a question about
// TCP to (net/ipv4/inet_diag.c, inet_diag_lock_handler).
func lacking(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return &kernel.MissingCapability{Name: "tcp_diag", Err: err}
	}
	return err
}
