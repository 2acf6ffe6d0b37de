package catalogue

import "fmt"

// An Ending is how a server ends a connection: which call sends its FIN, and
// whether it still holds the socket when the client answers with its own. A
// socket that nobody holds is a mere FIN_WAIT2 entry of the TIME_WAIT code by
// then; one that is held is a full socket (net/ipv4/tcp.c, tcp_close).
type Ending int

const (
	// ShutdownWrite is shutdown(SHUT_WR): a program holds the socket until the
	// client's FIN comes, or for seconds at least. That is a lingering close.
	ShutdownWrite Ending = iota + 1
	// ShutdownClose is shutdown(SHUT_WR) with close() right behind, some
	// milliseconds at most: the socket of a FIN that comes later is nobody's.
	ShutdownClose
	// ShutdownReset is ShutdownClose with SO_LINGER at zero seconds: close()
	// sends a RST after the FIN (net/ipv4/tcp.c, tcp_disconnect).
	ShutdownReset
	// Close is close() alone: with its FIN, the socket is nobody's.
	Close
	// Reset is close() with data unread: a RST, and never a FIN (RFC 2525,
	// 2.17).
	Reset
	// Second is no end before the client's, not for 3 s after the answer.
	Second
)

// String returns the calls, or "after the client".
func (e Ending) String() string {
	switch e {
	case ShutdownWrite:
		return "shutdown(SHUT_WR)"
	case ShutdownClose:
		return "shutdown(SHUT_WR), close()"
	case ShutdownReset:
		return "shutdown(SHUT_WR), close() with SO_LINGER 0"
	case Close:
		return "close()"
	case Reset:
		return "close() with data unread"
	case Second:
		return "after the client"
	}
	return fmt.Sprintf("Ending(%d)", int(e))
}
