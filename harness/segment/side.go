package segment

import "fmt"

// A Side is one of the two ends of a connection.
type Side int

// The client opened the connection.
const (
	Client Side = iota
	Server
)

// Sides are both of them.
var Sides = [2]Side{Client, Server}

// String is "client" or "server".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// Peer is the other side.
func (s Side) Peer() Side { return 1 - s }

// MarshalText writes the side's name.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a side's name.
func (s *Side) UnmarshalText(text []byte) error {
	for _, side := range Sides {
		if string(text) == side.String() {
			*s = side
			return nil
		}
	}
	return fmt.Errorf("no side is called %q: there are client and server", text)
}
