package packetdrill

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// players say who plays which end.
var players = map[segment.Side]string{
	segment.Server: "The server is under test, and packetdrill plays the client: what arrived is injected.",
	segment.Client: "The client is under test, and packetdrill plays the server: what arrived is injected.",
}

// header says what a script is, and how to run it.
func header(from Origin, s *script) string {
	lines := []string{
		plain(fmt.Sprintf("%s, as Linux %s played it: %s.", from.Scenario, from.Kernel, s.trial.Outcome)),
		players[s.side],
		"A kernel that does the same passes; at the first line where it does anything else it fails.",
		"To be run as root, in a network namespace of its own: unshare -n packetdrill FILE",
	}
	if takes := s.events[len(s.events)-1].at - s.events[0].at; takes >= time.Second {
		lines = append(lines, fmt.Sprintf("It takes %v.", takes.Round(time.Second)))
	}
	return "// " + strings.Join(lines, "\n// ") + "\n\n"
}
