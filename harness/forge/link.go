package forge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/segment"
)

// headers is room for Ethernet, IPv6 and the longest header of TCP: nobody looks
// at the payload.
const headers = 14 + 40 + 60

// A link is a packet socket (packet(7)) that sends and receives at one end of a
// link.
type link struct {
	file     *os.File
	from, to []byte // hardware addresses
	mss      uint16 // what a segment may carry, in octets
	decoder  *segment.Decoder
}

func openLink(end, peer *lab.End) (*link, error) {
	if len(end.Addresses) == 0 {
		return nil, errors.New("the end has no address to speak from")
	}
	// The MTU of a veth is 1500; the headers of IPv4 and TCP have 20 octets
	// each, that of IPv6 has 40 (RFC 9293 section 3.7.1).
	l := &link{from: end.MAC, to: peer.MAC, mss: 1500 - 20 - 20, decoder: segment.NewDecoder()}
	protocol := uint16(unix.ETH_P_IP)
	if end.Addresses[0].Addr().Is6() {
		l.mss, protocol = 1500-40-20, unix.ETH_P_IPV6
	}
	fd, err := end.PacketSocket(protocol)
	if err != nil {
		return nil, err
	}
	l.file = os.NewFile(uintptr(fd), "forged client")
	return l, nil
}

func (l *link) send(s segment.Segment) error {
	frame, err := s.Encode(l.from, l.to)
	if err != nil {
		return err
	}
	if err := l.write(frame); err != nil {
		return fmt.Errorf("send %v: %w", s, err)
	}
	return nil
}

// write sends a frame. The socket is bound: it knows its link.
func (l *link) write(frame []byte) error {
	_, err := l.file.Write(frame)
	return err
}

// receive waits for a frame. When ctx ends, the error is ctx's.
func (l *link) receive(ctx context.Context) ([]byte, error) {
	// A deadline in the past wakes a wait.
	stop := context.AfterFunc(ctx, func() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	frame := make([]byte, headers)
	for ctx.Err() == nil {
		n, err := l.file.Read(frame)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = l.file.SetReadDeadline(time.Time{}) // it may be an earlier context's
		case err != nil:
			return nil, fmt.Errorf("receive: %w", err)
		default:
			return frame[:n], nil
		}
	}
	return nil, context.Cause(ctx)
}

func (l *link) close() { l.file.Close() }
