package packetdrill

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A script is one end of an exchange as a list of events.
type script struct {
	trial  *teardown.Trial
	side   segment.Side // under test
	end    *teardown.End
	events []event
}

// An event is what a script does or expects: a segment at the tap, or a call.
type event struct {
	// at counts from the beginning of the recording.
	at   time.Duration
	text string
	// notes stand above it, each in a line of its own.
	notes []string
	// lasts is how long a call waits; 0 where it does not.
	lasts time.Duration
	// begins is true where a paragraph does.
	begins bool
	// inbound is true for a segment that is injected.
	inbound bool
	// exactly is true where the time since the event before counts to the microsecond.
	exactly bool
}

// play lists the events of the end under test: the handshake, then its segments and
// what its program did.
func (s *script) play() error {
	opened, err := s.opened()
	if err != nil {
		return err
	}
	packets, err := s.packets()
	if err != nil {
		return err
	}
	calls, err := s.calls()
	if err != nil {
		return err
	}
	s.events = append(s.open(packets[:opened]), merge(packets[opened:], calls)...)
	for i := 1; i < len(s.events); i++ {
		s.events[i].at = max(s.events[i].at, s.events[i-1].at)
	}
	s.raceLingering()
	return nil
}

// packets are what the tap saw. A tap has an order of its own, in which the times may go
// back a little: the order is what counts.
func (s *script) packets() ([]event, error) {
	numbering, ok := s.trial.Exchange.Numbering()
	if !ok {
		return nil, errors.New("the SYNs were not seen, and without them nothing has a number")
	}
	n := &notation{Numbering: numbering, side: s.side, origin: map[bool]uint32{}, given: map[uint32]bool{}}
	notes := s.notes(numbering)
	var packets []event
	for _, seen := range s.end.Sightings {
		if err := s.belongs(seen); err != nil {
			return nil, err
		}
	}
	for _, seen := range whole(s.end.Sightings) {
		text, err := n.packet(seen)
		if err != nil {
			return nil, fmt.Errorf("the %v's tap saw %v: %w", s.side, seen.Segment, err)
		}
		packets = append(packets, event{at: seen.At, text: text, notes: notes.take(seen), inbound: !seen.Sent})
	}
	return packets, nil
}

// belongs refuses a segment of another connection.
func (s *script) belongs(seen segment.Sighting) error {
	src, dst := s.end.Sightings[0].Src, s.end.Sightings[0].Dst
	if seen.Sent != s.end.Sightings[0].Sent {
		src, dst = dst, src
	}
	if seen.Src != src || seen.Dst != dst {
		return fmt.Errorf("the %v's tap saw %v from %v to %v, which is of another connection", s.side, seen.Segment, seen.Src, seen.Dst)
	}
	return nil
}

// opened is how many segments the handshake has.
func (s *script) opened() (int, error) {
	seen := s.end.Sightings
	opener := s.side == segment.Client
	if len(seen) > 0 && seen[0].Sent == opener && seen[0].Flags.Has(segment.SYN) && !seen[0].Flags.Has(segment.ACK) {
		for i, third := range seen {
			if third.Sent == opener && third.Flags.Has(segment.ACK) {
				return i + 1, nil
			}
		}
	}
	return 0, fmt.Errorf("the %v's tap did not see the whole handshake", s.side)
}

// merge puts calls among the packets, each before the first that came after it.
func merge(packets, calls []event) []event {
	slices.SortStableFunc(calls, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	var out []event
	for _, p := range packets {
		for len(calls) > 0 && calls[0].at <= p.at {
			out = append(out, calls[0])
			calls = calls[1:]
		}
		out = append(out, p)
	}
	return append(out, calls...)
}

// String writes the events, each with the time since the one before.
func (s *script) String() string {
	var out strings.Builder
	for i, e := range s.events {
		since := "0"
		if i > 0 {
			since = "+" + e.after(s.events[i-1])
		}
		if e.lasts > 0 {
			since += fmt.Sprintf("...%.3f", e.lasts.Seconds())
		}
		if e.begins {
			out.WriteString("\n")
		}
		for _, note := range e.notes {
			fmt.Fprintf(&out, "// %s\n", plain(note))
		}
		fmt.Fprintf(&out, "%-5s %s\n", since, e.text)
	}
	return out.String()
}

// after is the time since another event in seconds, to the millisecond, which is what
// timestamps count in: how much less it was says how fast the machine is.
func (e event) after(earlier event) string {
	since, unit := e.at-earlier.at, time.Millisecond
	if e.exactly {
		unit = time.Microsecond
	}
	if since < unit {
		return "0"
	}
	text := strconv.FormatFloat(since.Round(unit).Seconds(), 'f', 6, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	return strings.TrimPrefix(text, "0")
}

// raceLingering has what comes right after the segment that a lingering close(2) waits
// for come as fast as it did: the call returns meanwhile, and what it has not yet done
// makes a difference (net/ipv4/tcp.c, __tcp_close).
func (s *script) raceLingering() {
	i := slices.IndexFunc(s.events, func(e event) bool { return e.lasts > 0 })
	if i < 0 {
		return
	}
	returns := s.events[i].at + s.events[i].lasts
	for j := i + 1; j+1 < len(s.events); j++ {
		if !s.events[j].inbound || s.events[j].at < returns {
			continue
		}
		if next := &s.events[j+1]; next.inbound && next.at-s.events[j].at < time.Millisecond {
			next.exactly = true
			next.notes = append(next.notes, "a race: the close() that lingered is returning meanwhile")
		}
		break
	}
	if s.side == segment.Server {
		// packetdrill takes a call that has not returned at the end of a script for an
		// error, and makes no other before.
		s.events = append(s.events, event{at: max(s.events[len(s.events)-1].at, returns), text: "close(3) = 0"})
	}
}
