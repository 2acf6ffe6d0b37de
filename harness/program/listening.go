package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/sockdiag"
)

// How often the kernel is asked whether something listens: it tells of that by no
// event.
const (
	soonest = time.Millisecond
	latest  = 20 * time.Millisecond
)

// longEnough is how long what a program listens on has to stay the same until it is not
// expected to listen on anything else: some open one listener after another.
const longEnough = 30 * time.Second

// AwaitListening returns when something in the program's network namespace listens on
// an address; an unspecified one stands for any of its family but the loopback's. It is an error if
// the program's own process ends before, if it has listened elsewhere for long enough, or
// if nothing listens there by the deadline of ctx. One that goes to the background after
// it has begun to listen may be found listening first: Done tells of its end.
func (p *Program) AwaitListening(ctx context.Context, address netip.AddrPort) error {
	return p.awaitListening(ctx, address, longEnough)
}

func (p *Program) awaitListening(ctx context.Context, address netip.AddrPort, enough time.Duration) error {
	var diag nl.SocketHandle
	if err := p.host.Do(func() (err error) {
		diag.Socket, err = nl.Subscribe(unix.NETLINK_INET_DIAG)
		return err
	}); err != nil {
		return fmt.Errorf("open sock_diag in %s: %w", p.host.Name, err)
	}
	defer diag.Close()
	var still stillness
	for pause := soonest; ; pause = min(2*pause, latest) {
		all, err := listeners(&diag)
		if err != nil {
			return fmt.Errorf("ask what listens in %s: %w", p.host.Name, err)
		}
		select {
		case <-p.done:
			return p.endedBefore(address)
		default:
		}
		for _, l := range all {
			if l.takes(address) {
				return nil
			}
		}
		if still.lasts(all, clock.Now()) >= enough {
			return p.elsewhere(address, all)
		}
		select {
		case <-p.done:
		case <-time.After(pause):
		case <-ctx.Done():
			return p.silent(ctx, address, all)
		}
	}
}

// endedBefore says that the program ended before it listened.
func (p *Program) endedBefore(address netip.AddrPort) error {
	if err := p.inBackground(); err != nil {
		return err
	}
	return fmt.Errorf("%s: it ended before it listened on %v: %s%s%s", p.command.Args[0], address, p.how(), p.guestHas(), p.last())
}

// EndedEarly is why a program that is still to be there is not, once Done tells that it
// has ended: Err, or what else there is to say of an exit status of 0.
func (p *Program) EndedEarly() error {
	if err := cmp.Or(p.inBackground(), p.Err()); err != nil {
		return err
	}
	return p.errorf("it ended: %s", p.how())
}

// inBackground is an error where the program's own process has ended well, and others
// live on.
func (p *Program) inBackground() error {
	if p.Err() != nil || !p.ended.Others {
		return nil
	}
	return p.errorf("it went to the background, and only what it left there lives on: " +
		"have it stay in the foreground (nginx -g 'daemon off;', redis-server --daemonize no, apache2 -DFOREGROUND)")
}

// silent says that nothing listens on an address by the time that ctx has ended.
func (p *Program) silent(ctx context.Context, address netip.AddrPort, all []listener) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: wait until it listens on %v: %w", p.command.Args[0], address, context.Cause(ctx))
	}
	return p.elsewhere(address, all)
}

// elsewhere says that nothing listens on an address, and what the program does instead.
func (p *Program) elsewhere(address netip.AddrPort, all []listener) error {
	var instead []string
	loopback := false
	for _, l := range all {
		instead = append(instead, l.String())
		loopback = loopback || l.Port() == address.Port() && l.Addr().IsLoopback()
	}
	switch {
	case len(all) == 0:
		return p.errorf("it listens on no address, and was to listen on %v by now", address)
	case loopback:
		return p.errorf("it listens on %s, which can be reached only from its own host: the client comes over a link, so have it listen on %v",
			strings.Join(instead, " and "), address)
	default:
		return p.errorf("it listens on %s, not on %v: have both name the same address", strings.Join(instead, " and "), address)
	}
}

// A listener is a socket in LISTEN.
type listener struct {
	netip.AddrPort
	only6 bool // it takes no IPv4 (IPV6_V6ONLY, ipv6(7))
}

func (l listener) String() string {
	if l.only6 && l.Addr().IsUnspecified() {
		return l.AddrPort.String() + " (IPv6 only)"
	}
	return l.AddrPort.String()
}

// takes reports whether it is what accepts connections to an address.
func (l listener) takes(address netip.AddrPort) bool {
	own, wanted := l.Addr().Unmap(), address.Addr().Unmap().WithZone("")
	switch {
	case l.Port() != address.Port():
		return false
	case wanted == netip.IPv4Unspecified():
		return own.Is4() && !own.IsLoopback() || own == netip.IPv6Unspecified() && !l.only6
	case wanted == netip.IPv6Unspecified():
		return own.Is6() && !own.IsLoopback()
	case own == netip.IPv4Unspecified():
		return wanted.Is4()
	case own == netip.IPv6Unspecified():
		return wanted.Is6() || !l.only6
	}
	return own == wanted
}

// A stillness is the time for which a program has listened on the same addresses.
type stillness struct {
	on    []listener
	since clock.Instant
}

// lasts is told what the program listens on now, and returns for how long it has: no time
// where that is nothing.
func (s *stillness) lasts(on []listener, now clock.Instant) time.Duration {
	if len(on) == 0 || !slices.Equal(on, s.on) {
		s.on, s.since = on, now
	}
	return now.Sub(s.since)
}

// listeners asks for what listens in the namespace of a socket.
func listeners(diag *nl.SocketHandle) (found []listener, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		messages, err := lab.Dump(func() ([][]byte, error) {
			request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
			request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_INET_DIAG: diag}
			request.AddData(sockdiag.Request{Family: family, States: 1 << unix.BPF_TCP_LISTEN})
			return request.Execute(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY)
		})
		if errors.Is(err, unix.ENOENT) {
			return nil, &kernel.MissingCapability{Name: "tcp_diag", Err: err}
		}
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			s, err := sockdiag.Read(m)
			if err != nil {
				return nil, err
			}
			only6 := s.Attributes[netlink.INET_DIAG_SKV6ONLY]
			found = append(found, listener{s.Local, len(only6) > 0 && only6[0] != 0})
		}
	}
	return found, nil
}
