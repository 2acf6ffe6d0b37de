package specs

import (
	"strconv"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/sock"
)

// A closingPath is one way in which an end can close.
type closingPath struct {
	name string
	scenario.Behaviour
}

var (
	shutdown     = closingPath{"shutdown", scenario.Behaviour{Closing: sock.ShutdownWrite}}
	shutdownRDWR = closingPath{"shutdown-rdwr", scenario.Behaviour{Closing: sock.ShutdownBoth}}
	closed       = closingPath{"close", scenario.Behaviour{Closing: sock.Close}}
	exited       = closingPath{"exit", scenario.Behaviour{Closing: sock.Exit}}
	killed       = closingPath{"kill", scenario.Behaviour{Closing: sock.Kill}}
	lingering    = closingPath{"close-linger-5", scenario.Behaviour{Closing: sock.CloseLingering(5)}}
)

// closingPaths send a FIN. They differ in what is left of a socket in FIN_WAIT2
// (net/ipv4/tcp.c, __tcp_close, and tcp_input.c, tcp_rcv_state_process): after
// shutdown() all of it; after close(), or the end of the program, a mini-socket
// that the TIME_WAIT code serves; after close() with more than 60 s
// (TCP_TIMEWAIT_LEN) to spend in FIN_WAIT2, by tcp_fin_timeout or TCP_LINGER2, a
// full socket without a program.
var closingPaths = []closingPath{
	shutdown,
	shutdownRDWR,
	closed,
	finTimeout(60), // from here on, how long FIN_WAIT2 may last
	finTimeout(61),
	finTimeout(120),
	linger2(60),
	linger2(61),
	exited,
	killed,
}

// shortPaths are those that differ before FIN_WAIT2 already.
var shortPaths = []closingPath{shutdown, shutdownRDWR, closed}

// clientPaths are what else than shutdown(SHUT_WR) a client may do. Its own FIN is
// the later one, so that it never enters FIN_WAIT2.
var clientPaths = []closingPath{shutdownRDWR, closed, lingering, exited, killed}

// finTimeout is close() with net.ipv4.tcp_fin_timeout set, in seconds.
func finTimeout(seconds int) closingPath {
	return closingPath{"close-fin-timeout-" + strconv.Itoa(seconds), scenario.Behaviour{
		Closing: sock.Close,
		Sysctls: map[string]string{"net.ipv4.tcp_fin_timeout": strconv.Itoa(seconds)},
	}}
}

// linger2 is close() with TCP_LINGER2 set, in seconds.
func linger2(seconds int) closingPath {
	return closingPath{"close-linger2-" + strconv.Itoa(seconds), scenario.Behaviour{
		Closing: sock.Close,
		Prepare: func(c *sock.Conn) error { return c.SetLinger2(seconds) },
	}}
}
