package specs

import (
	"fmt"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// The specs named long-timers wait for minutes, as the kernel does: each goes on until
// the kernels that it is about no longer know the connection. On a virtual clock that
// takes seconds; on any other they are skipped.

// vanished is a cable from which a side is gone once a segment has been delivered:
// nothing of what it sends arrives, and nothing that it is sent.
func vanished(side segment.Side, after string) scenario.Disturbance {
	return scenario.Wire(nil,
		fmt.Sprintf("maybe drop every %v any after %s", side, after),
		fmt.Sprintf("drop every %v any after %s", side.Peer(), after))
}

// cutOff is a cable on which a side's segments are lost, all of them.
func cutOff(side segment.Side) scenario.Disturbance {
	return scenario.Wire(nil, fmt.Sprintf("drop every %v any", side))
}

// stays does nothing about the end of a connection.
var stays = scenario.Behaviour{Stays: true}

// onServer is for a scenario that is about the server alone.
var onServer = []segment.Side{segment.Server}

// withSysctl sets one more sysctl.
func withSysctl(b scenario.Behaviour, name, value string) scenario.Behaviour {
	sysctls := map[string]string{name: value}
	for n, v := range b.Sysctls {
		sysctls[n] = v
	}
	b.Sysctls = sysctls
	return b
}

// timedOut is the outcome of most of them.
const timedOut = teardown.TimedOut
