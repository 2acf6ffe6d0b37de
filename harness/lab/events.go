package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// events are what the kernel tells of the changes in a host's network
// (rtnetlink(7)).
type events struct{ socket *nl.NetlinkSocket }

// eventDeadline bounds the wait for work that the kernel has queued without
// delay.
const eventDeadline = 30 * time.Second

// subscribe has to be called before the change that is waited for.
func (h *Host) subscribe(group uint) (events, error) {
	var e events
	err := h.Do(func() (err error) {
		e.socket, err = nl.Subscribe(unix.NETLINK_ROUTE, group)
		return err
	})
	if err != nil {
		return events{}, fmt.Errorf("subscribe to the network events of %s: %w", h.Name, err)
	}
	return e, nil
}

func (e events) close() { e.socket.Close() }

// await reads events until one is what is waited for, and no longer than
// within, however many others come.
func (e events) await(within time.Duration, what string, is func(m syscall.NetlinkMessage) (bool, error)) error {
	deadline := time.Now().Add(within)
	for left := within; left > 0; left = time.Until(deadline) {
		// A timeout of 0 would be none.
		timeout := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := e.socket.SetReceiveTimeout(&timeout); err != nil {
			return fmt.Errorf("bound the wait for %s: %w", what, err)
		}
		messages, _, err := e.socket.Receive()
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		// A call with a timeout is not restarted after a signal (signal(7)).
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		for _, m := range messages {
			if found, err := is(m); found || err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("wait for %s: the kernel did not tell of it within %v", what, within)
}

// awaitLinkUp waits until the end of a veth pair that was set up first can
// send. Its carrier came on only with its peer's, and the kernel replaces its
// noop qdisc, which drops everything in silence, from a work item
// (net/core/link_watch.c, linkwatch_do_dev), which sends its event afterwards.
func (e events) awaitLinkUp(index int) error {
	return e.await(eventDeadline, "the carrier", func(m syscall.NetlinkMessage) (bool, error) {
		if m.Header.Type != unix.RTM_NEWLINK {
			return false, nil
		}
		link, err := netlink.LinkDeserialize((*unix.NlMsghdr)(&m.Header), m.Data)
		if err != nil {
			return false, fmt.Errorf("read a link event: %w", err)
		}
		return link.Attrs().Index == index && link.Attrs().OperState == netlink.OperUp, nil
	})
}

// awaitAddress waits until an IPv6 address is there and not tentative.
func (e events) awaitAddress(index int, addr netip.Addr) error {
	return e.await(eventDeadline, "the address to become usable", func(m syscall.NetlinkMessage) (bool, error) {
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			return false, nil
		}
		// struct ifaddrmsg: family, prefix length, flags and scope are an
		// octet each, the index follows.
		flags, of := m.Data[2], binary.NativeEndian.Uint32(m.Data[4:])
		attributes, err := nl.ParseRouteAttrAsMap(m.Data[unix.SizeofIfAddrmsg:])
		if err != nil {
			return false, fmt.Errorf("read an address event: %w", err)
		}
		got, _ := netip.AddrFromSlice(attributes[unix.IFA_ADDRESS].Value)
		return int(of) == index && got == addr && flags&unix.IFA_F_TENTATIVE == 0, nil
	})
}
