package behaviour

import (
	"net/netip"
	"strconv"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
)

// onlyPort is the only one that the server's connect() can choose.
const onlyPort = 41000

// connects has the server's host open connections, instead of waiting for them, and
// always from the same port.
func (s *stage) connects() {
	port := strconv.Itoa(onlyPort)
	s.sysctl("net.ipv4.ip_local_port_range", port+" "+port)
	s.forge(netip.AddrPortFrom(s.pair.Server.Addresses[0].Addr(), onlyPort))
	s.route(unhurried)
}

// connect is the server's connect(), which sends a SYN or fails.
func (s *stage) connect() error {
	s.note("server: connect()")
	conn, err := sock.Begin(s.ctx, s.pair.Server.Host, s.client.Local)
	if err == nil {
		s.hold(conn)
	}
	return err
}

// answer sends the client's SYN when the server's has come, and returns what the server
// says to that.
func (s *stage) answer(flags segment.Flags) []segment.Segment {
	s.check(s.client.Answer(s.ctx, flags))
	return s.settle()
}
