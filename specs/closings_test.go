package specs

import (
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// A closingPath is one way in which the server's kernel can get to FIN_WAIT2,
// where the client's FIN finds it.
type closingPath struct {
	name   string
	server scenario.Behaviour
}

// closingPaths differ in what is left of the server's socket (net/ipv4/tcp.c,
// tcp_close, and tcp_input.c, tcp_rcv_state_process): after shutdown() all of
// it; after close() a mini-socket that the TIME_WAIT code serves; after close()
// with a tcp_fin_timeout above 60 s (TCP_TIMEWAIT_LEN) a full socket without a
// program.
var closingPaths = []closingPath{
	{"server-shutdown", scenario.Behaviour{Closing: sock.ShutdownWrite}},
	{"server-close", scenario.Behaviour{Closing: sock.Close}},
	{"server-close-fin-timeout-120", scenario.Behaviour{
		Closing: sock.Close,
		Sysctls: map[string]string{"net.ipv4.tcp_fin_timeout": "120"},
	}},
}

var families = []topologies.Family{topologies.IPv4, topologies.IPv6}
