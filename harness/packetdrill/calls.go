package packetdrill

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// levels are where the options that a script can set belong. The constants'
// names are those of packetdrill's symbols_linux.c, too.
var levels = map[string]string{
	"SO_KEEPALIVE":     "SOL_SOCKET",
	"TCP_KEEPIDLE":     "SOL_TCP",
	"TCP_KEEPINTVL":    "SOL_TCP",
	"TCP_KEEPCNT":      "SOL_TCP",
	"TCP_LINGER2":      "SOL_TCP",
	"TCP_USER_TIMEOUT": "SOL_TCP",
}

// told are the errors that a read gives, as strerror(3) has them.
var told = map[string]string{
	"ECONNRESET": "Connection reset by peer",
	"ETIMEDOUT":  "Connection timed out",
}

// wheelError is the part of its time by which a timer of the kernel's may be late at most
// (kernel/time/timer.c, "granularity levels").
const wheelError = 8

// fd is the descriptor of the connection under test: one after that of what listens.
func (s *script) fd() int {
	if s.side == segment.Client {
		return 3
	}
	return 4
}

// open is everything up to the connection, with the segments of its handshake.
func (s *script) open(handshake []event) []event {
	at := handshake[0].at
	call := func(text string) event { return event{at: at, text: text} }
	out := []event{call("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")}
	if most := s.window(); most > 0 {
		out = append(out, call(fmt.Sprintf("setsockopt(3, SOL_TCP, 10 /* TCP_WINDOW_CLAMP */, [%d], 4) = 0", most)))
	}
	if s.side == segment.Server {
		out = append(out,
			call("setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0"),
			call("bind(3, ..., ...) = 0"),
			call("listen(3, 1) = 0"))
		handshake[0].begins = true
		out = append(out, handshake...)
		out = append(out, event{at: handshake[len(handshake)-1].at, text: "accept(3, ..., ...) = 4"})
	} else {
		out = append(out,
			call("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0"),
			call("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)"))
		out = append(out, handshake...)
		out = append(out, event{at: handshake[len(handshake)-1].at, text: "fcntl(3, F_SETFL, O_RDWR) = 0"})
	}
	out[0].begins = true
	return out
}

// calls are those that the program made with the connection.
func (s *script) calls() ([]event, error) {
	var out []event
	for _, o := range s.end.Setup.Options {
		level, ok := levels[o.Name]
		if !ok {
			return nil, fmt.Errorf("the %v's socket had the option %s, which no script sets", s.side, plain(o.Name))
		}
		// At 0, before all others: the socket had it when it was connected.
		out = append(out, event{text: fmt.Sprintf("setsockopt(%d, %s, %s, [%d], 4) = 0", s.fd(), level, o.Name, o.Value)})
	}
	for _, c := range s.end.Setup.Calls {
		if c.Name != "read" && c.Name != "write" || c.Octets < 1 {
			return nil, fmt.Errorf("the %v's program called %s for %d octets, which no script does", s.side, plain(c.Name), c.Octets)
		}
		out = append(out, event{at: c.At, text: s.transfer(c.Name, c.Octets)})
	}
	closing, err := s.closing()
	if err != nil {
		return nil, err
	}
	reading, err := s.reading()
	return slices.Concat(out, closing, reading), err
}

// transfer is a read or write of so many octets.
func (s *script) transfer(name string, octets int) string {
	return fmt.Sprintf("%s(%d, ..., %d) = %d", name, s.fd(), octets, octets)
}

// lingering is a closing call as package sock names it.
var lingering = regexp.MustCompile(`^close\(\) with SO_LINGER ([0-9]{1,5}) s$`)

// closing is the call that ended the connection; none where the program made none.
func (s *script) closing() ([]event, error) {
	at := s.end.CalledAt
	closing := event{at: at, text: fmt.Sprintf("close(%d) = 0", s.fd())}
	switch call := s.end.Call; call {
	case "":
		return nil, nil
	case "close()":
	case "exit()", "SIGKILL":
		closing.notes = []string{"by " + call + ": the kernel closes what a program leaves open"}
	case "shutdown(SHUT_WR)":
		closing.text = fmt.Sprintf("shutdown(%d, SHUT_WR) = 0", s.fd())
	case "shutdown(SHUT_RDWR)":
		closing.text = fmt.Sprintf("shutdown(%d, SHUT_RDWR) = 0", s.fd())
	default:
		match := lingering.FindStringSubmatch(call)
		if match == nil {
			return nil, fmt.Errorf("the %v ended by %s, which no script does", s.side, plain(call))
		}
		limit, err := strconv.Atoi(match[1])
		if err != nil {
			return nil, err
		}
		closing.lasts = s.lingers(time.Duration(limit) * time.Second)
		return []event{
			{at: at, text: fmt.Sprintf("setsockopt(%d, SOL_SOCKET, SO_LINGER, {onoff=1, linger=%d}, 8) = 0", s.fd(), limit), begins: true},
			closing,
		}, nil
	}
	closing.begins = true
	return []event{closing}, nil
}

// lingers is how long close(2) waits: until the FIN is acknowledged, or the connection
// reset, and no longer than its limit (net/ipv4/tcp.c, __tcp_close: sk_stream_wait_close).
func (s *script) lingers(limit time.Duration) time.Duration {
	var fin *segment.Sighting
	for i, seen := range s.end.Sightings {
		switch {
		case seen.Sent && seen.Flags.Has(segment.FIN):
			fin = &s.end.Sightings[i]
		case !seen.Sent && seen.At >= s.end.CalledAt && (seen.Flags.Has(segment.RST) || fin != nil && seen.Covers(fin.End())):
			return min(limit, max(seen.At-s.end.CalledAt, 1))
		}
	}
	return limit
}

// reading is what a program that kept its socket was told: the rest of the data and the
// end of it, an error, or that there was nothing yet.
func (s *script) reading() ([]event, error) {
	if !s.end.Reads {
		return nil, nil
	}
	over := s.over()
	fails := func(at time.Duration, told, text string) event {
		return event{at: at, text: fmt.Sprintf("recv(%d, ..., 1, MSG_DONTWAIT) = -1 %s (%s)", s.fd(), told, text)}
	}
	switch {
	case s.end.EOF != nil:
		return append(s.unread(*s.end.EOF), event{at: *s.end.EOF, text: fmt.Sprintf("read(%d, ..., 1) = 0", s.fd())}), nil
	case s.end.ReadError != "":
		text, ok := told[s.end.ReadError]
		if !ok {
			return nil, fmt.Errorf("the %v's program was told %s, which no script expects", s.side, plain(s.end.ReadError))
		}
		at := over
		if gone, ok := s.givenUp(); ok && gone > over {
			at = gone + (gone-over)/wheelError
		}
		return append(s.unread(over), fails(at, s.end.ReadError, text)), nil
	}
	return append(s.unread(over), fails(over, "EAGAIN", "Resource temporarily unavailable")), nil
}

// over is when the tap has seen everything.
func (s *script) over() time.Duration {
	var at time.Duration
	for _, seen := range s.end.Sightings {
		at = max(at, seen.At)
	}
	return at + 1
}

// unread reads what had arrived by then and was not read before.
func (s *script) unread(at time.Duration) []event {
	n := s.arrived(at)
	for _, c := range s.end.Setup.Calls {
		if c.Name == "read" {
			n -= c.Octets
		}
	}
	if n <= 0 {
		return nil
	}
	return []event{{at: at, text: s.transfer("read", n)}}
}

// arrived is how many octets of data the end has acknowledged by then.
func (s *script) arrived(by time.Duration) int {
	var first, end uint32
	fin := false
	for _, seen := range s.end.Sightings {
		switch {
		case !seen.Sent && seen.Flags.Has(segment.SYN):
			first = seen.End()
			end = first
		case !seen.Sent && seen.Flags.Has(segment.FIN):
			fin = fin || seen.At <= by
		case seen.Sent && seen.At <= by && seen.Flags.Has(segment.ACK) && segment.Before(end, seen.Ack):
			end = seen.Ack
		}
	}
	n := int(end - first)
	if fin && s.end.EOF != nil {
		n--
	}
	return n
}

// givenUp is when the end's kernel gave the connection up.
func (s *script) givenUp() (time.Duration, bool) {
	after, ok := s.trial.GivenUp[s.side]
	first, called := time.Duration(0), false
	for _, side := range segment.Sides {
		if end := s.trial.Exchange.End(side); end.Call != "" && (!called || end.CalledAt < first) {
			first, called = end.CalledAt, true
		}
	}
	return first + after, ok && called
}
