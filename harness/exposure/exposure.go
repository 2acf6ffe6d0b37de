// Package exposure tells whether a server loses FINs on the running kernel: it has
// clients come to it, one for each manner in which a connection can end, and tells what
// the kernel has to answer for from what the server's own program does.
package exposure

import (
	"context"
	"errors"
	"slices"

	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
)

// A Finding is what came of one client.
type Finding struct {
	Manner scenario.Manner
	// Trial is what was seen; nil where the manner could not come about, and Why says
	// what kept it from that.
	Trial *teardown.Trial
	Why   error
	// Owed is how a good kernel ends the connection, given what the program does.
	Owed teardown.Outcome
}

// Visit has a client come to a site.
func Visit(ctx context.Context, site *scenario.Site, v scenario.Visit) (Finding, error) {
	finding := Finding{Manner: v.Manner, Owed: teardown.Clean}
	trial, err := site.Visit(ctx, v)
	var notArisen *scenario.NotArisenError
	if errors.As(err, &notArisen) {
		finding.Why = notArisen
		return finding, nil
	}
	if err != nil {
		return finding, err
	}
	finding.Trial, finding.Owed = &trial, Owed(v.Manner, trial)
	return finding, nil
}

// Owed is how a good kernel ends a connection in which the server's program did what the
// trial shows. Whatever the program lets down is not the kernel's to answer for: a RST
// for what the program did not read or was sent once it had let go of the socket, one
// where its keepalives are not answered, and a connection that the program never closes.
func Owed(manner scenario.Manner, t teardown.Trial) teardown.Outcome {
	server := &t.Exchange.Server
	switch state := server.State; {
	case resets(server.Call), refusesData(server) && sentRST(server):
		return teardown.Reset
	case manner == scenario.ClientGone && server.Call == "" && server.Counters["TCPAbortOnTimeout"] > 0 && sentRST(server):
		return teardown.Reset // by keepalives (RFC 1122 section 4.2.3.6)
	case server.Call == "" && (state == "ESTABLISHED" || state == "CLOSE_WAIT"):
		return teardown.Stuck
	case manner == scenario.ClientGone:
		return teardown.TimedOut
	}
	return teardown.Clean
}

// resets reports whether a call sends a RST in the place of a FIN, or right behind it.
func resets(call string) bool {
	return call == scenario.CloseUnread || call == scenario.ShutdownReset || call == sock.CloseLingering(0).Name
}

func sentRST(end *teardown.End) bool {
	return slices.ContainsFunc(end.Sightings, func(s segment.Sighting) bool { return s.Sent && s.Flags.Has(segment.RST) })
}

// refusesData reports whether data came that the program no longer took: it read no more,
// or had let go of the socket (net/ipv4/tcp_input.c, tcp_rcv_state_process;
// tcp_minisocks.c, tcp_timewait_state_process).
func refusesData(end *teardown.End) bool {
	if !dataCame(end) {
		return false
	}
	if end.Call == sock.Close.Name || end.Call == scenario.ShutdownClose || end.Call == sock.ShutdownBoth.Name {
		return true
	}
	return slices.ContainsFunc(end.Notices, func(n teardown.Notice) bool {
		return n.Source == teardown.SockDiag && n.Orphan && n.To != "TIME_WAIT" // which nobody holds
	})
}

// dataCame reports whether data came to an end besides what its FIN acknowledged.
func dataCame(end *teardown.End) bool {
	made := slices.IndexFunc(end.Sightings, func(s segment.Sighting) bool { return s.Sent && s.Flags.Has(segment.FIN) })
	return made >= 0 && slices.ContainsFunc(end.Sightings, func(s segment.Sighting) bool {
		return !s.Sent && s.Length > 0 && segment.Before(end.Sightings[made].Ack, s.Seq+uint32(s.Length))
	})
}

// Exposed reports whether a trial shows that the server's kernel dropped what it should
// have taken, so that the client had to send it again.
func Exposed(t teardown.Trial) bool { return len(t.DroppedBy(segment.Server)) > 0 }
