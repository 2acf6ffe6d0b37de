package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// edges are the ways from one state to the next in the closing part of RFC 9293
// figure 5.
var edges = map[string][]string{
	"ESTABLISHED": {"FIN_WAIT1", "CLOSE_WAIT"},
	"CLOSE_WAIT":  {"LAST_ACK"},
	"LAST_ACK":    {"CLOSE"},
	"FIN_WAIT1":   {"FIN_WAIT2", "CLOSING", "TIME_WAIT"},
	"FIN_WAIT2":   {"TIME_WAIT"},
	"CLOSING":     {"TIME_WAIT"},
	"TIME_WAIT":   {"CLOSE"},
	"CLOSE":       nil,
}

// invariants are those that an order breaks of the ones that can be read off it; an
// error says that it cannot be read.
func invariants(o Order) ([]string, error) {
	var broken []string
	for _, s := range segment.Sides {
		broken = append(broken, OffTheEdges(s, o.Result.Paths[s], o.Result.Outcome == teardown.Reset)...)
		sent, err := segments(o.sent(s))
		if err != nil {
			return nil, err
		}
		broken = append(broken, Regressions(s, sent)...)
	}
	return broken, nil
}

// OffTheEdges says where an end's states did not go along the edges of RFC 9293
// figure 5. The states are named as in a Result. Linux adds mini-sockets, which
// take over in FIN_WAIT2 and TIME_WAIT and do not become sockets again
// (net/ipv4/tcp_minisocks.c, tcp_time_wait), and a socket that is reset or aborted
// is closed from any state (RFC 9293 sections 3.10.5 and 3.10.7.4).
func OffTheEdges(s segment.Side, path []string, reset bool) []string {
	var off []string
	for i := range max(len(path)-1, 0) {
		from, kept, _ := strings.Cut(path[i], " ")
		to, keeps, _ := strings.Cut(path[i+1], " ")
		ways, known := edges[from]
		switch {
		case !known:
			off = append(off, fmt.Sprintf("the %v was in %s, which is no state of a connection that ends", s, path[i]))
		case from == to && (kept != mini || keeps == mini):
		case reset && to == "CLOSE":
		case from == to || !slices.Contains(ways, to):
			off = append(off, fmt.Sprintf("the %v went from %s to %s", s, path[i], path[i+1]))
		}
	}
	return off
}

// mini is what stands behind the state of a mini-socket.
const mini = "(timewait)"

// Regressions says where the numbers of the segments that an end sent went back:
// what is sent begins where what was sent before ended, and acknowledges no less. A
// RST takes its numbers from what it answers (RFC 9293 section 3.10.7).
func Regressions(s segment.Side, sent []segment.Segment) []string {
	var (
		back []string
		last segment.Segment
		any  bool
	)
	for _, now := range sent {
		if now.Flags.Has(segment.RST) {
			continue
		}
		if any && (segment.Before(now.Seq, last.End()) || segment.Before(now.Ack, last.Ack)) {
			back = append(back, fmt.Sprintf("the %v sent %v after %v", s, now, last))
		}
		last, any = now, true
	}
	return back
}

// sent is what an end sent, in the order in which it did.
func (o Order) sent(s segment.Side) []Enabled {
	sent := slices.Clone(o.Opening)
	for _, m := range o.Moves {
		sent = append(sent, m.Sent...)
	}
	return slices.DeleteFunc(sent, func(e Enabled) bool { return e.Choice.Side != s })
}

// segments reads what a stage says of segments, which it has to number from 1 on.
func segments(sent []Enabled) ([]segment.Segment, error) {
	out := make([]segment.Segment, len(sent))
	for i, e := range sent {
		if e.Choice.Number != i+1 {
			return nil, fmt.Errorf("the segment of %q is the %d. that the %v sent", e.Choice, i+1, e.Choice.Side)
		}
		s, err := segment.Parse(e.Text)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", e.Choice, err)
		}
		out[i] = s
	}
	return out, nil
}
