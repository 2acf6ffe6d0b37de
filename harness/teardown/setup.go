package teardown

import "time"

// A Setup is what an end's kernel and socket were set to, and what its program did with
// the connection before it closed: what it takes to play the end again, beside the
// segments.
type Setup struct {
	// Domain is that of the program's socket, AF_INET or AF_INET6; the latter speaks
	// IPv4, too (ipv6(7)).
	Domain string `json:"domain"`
	// Sysctls were set in the end's namespace, by their dotted names.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// RTOMin and QuickACK are metrics of the end's route to its peer (ip-route(8)).
	RTOMin   time.Duration `json:"rto_min_ns,omitempty"`
	QuickACK bool          `json:"quickack,omitempty"`
	// Options were set on the connected socket, in this order.
	Options []SocketOption `json:"options,omitempty"`
	// Calls are those by which the program read and wrote, in this order.
	Calls []Call `json:"calls,omitempty"`
}

// A SocketOption is one that setsockopt(2) has set to a number.
type SocketOption struct {
	// Name is the constant's, such as TCP_LINGER2.
	Name  string `json:"name"`
	Value int    `json:"value"`
}

// A Call is a read(2) that had found so many octets at that time, or a write(2) that
// was to take so many from then on.
type Call struct {
	At     time.Duration `json:"at_ns"`
	Name   string        `json:"name"`
	Octets int           `json:"octets"`
}
