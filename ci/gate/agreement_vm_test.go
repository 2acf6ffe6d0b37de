//go:build vm

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// An analysis is what tshark calls a segment (tcp.analysis.*).
type analysis string

const (
	retransmission analysis = "retransmission"
	outOfOrder     analysis = "out_of_order"
	lostSegment    analysis = "lost_segment" // "Previous segment not captured"
	duplicateACK   analysis = "duplicate_ack"
)

var analyses = []analysis{retransmission, outOfOrder, lostSegment, duplicateACK}

// A mark is what we call a segment, by what was read off both taps and both kernels.
type mark string

const (
	sentAgain mark = "sent again"
	copied    mark = "arrives again"
	overtaken mark = "overtaken"
	overtakes mark = "overtakes"
	challenge mark = "challenge ACK"
	injected  mark = "not sent by"
)

// alike is what tshark calls what we call so. It has no word for what was injected.
var alike = map[mark]analysis{
	sentAgain: retransmission, copied: retransmission, overtaken: outOfOrder, overtakes: lostSegment, challenge: duplicateACK,
}

// A difference is a way in which tshark and we see one segment differently.
type difference struct {
	name  string
	said  []analysis
	marks []mark
	// is tells whether the n-th segment of a view is a case of it.
	is func(v view, n int) bool
}

// differences are all that there are. tshark sees one tap and guesses from the numbers
// and a clock; we have both taps, and what the kernels counted. What tshark does is in
// Wireshark's epan/dissectors/packet-tcp.c, tcp_analyze_sequence_number.
var differences = []difference{
	// tshark calls a segment out of order only if it comes within the first round trip
	// behind the one that overtook it, and does not end where that one begins, which a
	// FIN does that its own ACK overtakes.
	{"overtaken, so late or so near that it looks repeated", []analysis{retransmission}, []mark{overtaken}, func(v view, n int) bool {
		end, since := v.highest(n)
		return end == v.seen[n].End() || v.seen[n].At-since >= v.firstRoundTrip()
	}},
	// The gap that the first to overtake leaves is not seen a second time.
	{"the second to overtake", nil, []mark{overtakes}, func(v view, n int) bool {
		end, _ := v.highest(n)
		return end == v.seen[n].Seq && slices.ContainsFunc(v.marked[:n], func(m []mark) bool { return slices.Contains(m, overtakes) })
	}},
	// Of what was lost on the way to the tap, the repetition is the first that it sees.
	{"sent again, and seen once", nil, []mark{sentAgain}, func(v view, n int) bool {
		end, _ := v.highest(n)
		return !segment.Before(v.seen[n].Seq, end)
	}},
	// Who gets again what he has accepted says so again; a challenge ACK asks for what
	// was not accepted (RFC 5961 section 5).
	{"an answer to what had been accepted", []analysis{duplicateACK}, nil, func(v view, n int) bool {
		i := v.latest(n, func(s segment.Sighting) bool { return s.Sent != v.seen[n].Sent && s.End() != s.Seq })
		return i >= 0 && v.latest(i, func(s segment.Sighting) bool {
			return s.Sent == v.seen[n].Sent && s.Covers(v.seen[i].End()) && s.Ack == v.seen[n].Ack
		}) >= 0
	}},
	// The wire had the peer get again what left once.
	{"an answer to what only the other tap saw", []analysis{duplicateACK}, nil, func(v view, n int) bool {
		return !v.seen[n].Sent && slices.ContainsFunc(v.trial.Timeline(), func(e teardown.Event) bool {
			return e.IsSegment && e.By == v.tap && e.At < v.seen[n].At && slices.ContainsFunc(e.Notes, func(note string) bool {
				return note == string(copied) || strings.HasPrefix(note, string(injected))
			})
		})
	}},
	// The FIN that the wire makes up is the second of its kind at the tap, but nobody
	// sent it again.
	{"injected, where the like had been seen", []analysis{retransmission}, []mark{injected}, func(v view, n int) bool {
		return v.latest(n, func(s segment.Sighting) bool { return !s.Sent && s.Seq == v.seen[n].Seq && s.End() == v.seen[n].End() }) >= 0
	}},
	// A RST that the wire makes up has a number further on, for tshark as far as the
	// sender had come.
	{"behind what was injected", []analysis{retransmission}, nil, func(v view, n int) bool {
		return slices.ContainsFunc(v.marked[:n], func(m []mark) bool { return slices.Contains(m, injected) }) &&
			v.latest(n, func(s segment.Sighting) bool { return s.Flags.Has(segment.RST) && segment.Before(v.seen[n].Seq, s.Seq) }) >= 0
	}},
}

// expectAgreement holds what tshark says of each segment that a tap of a run has seen
// against what we say. Where they differ, the difference is one that we know.
func expectAgreement(t *testing.T, records ...string) {
	t.Helper()
	var all []view
	for _, path := range records {
		all = append(all, views(t, path)...)
	}
	said := analyse(t, all)
	agreed, differ, segments := map[analysis]int{}, map[string]int{}, len(said)
	for _, v := range all {
		for n := range v.seen {
			ours := inTheirWords(v.marked[n])
			if slices.Equal(said[n], ours) {
				for _, a := range ours {
					agreed[a]++
				}
				continue
			}
			i := slices.IndexFunc(differences, func(d difference) bool {
				return slices.Equal(said[n], d.said) && slices.Equal(v.marked[n], d.marks) && d.is(v, n)
			})
			if i < 0 {
				t.Errorf("%s: of its segment %d, %s, tshark says %q and we say %q", v.name, n+1, v.texts[n], said[n], v.marked[n])
				continue
			}
			differ[differences[i].name]++
		}
		said = said[len(v.seen):]
	}
	t.Logf("%d taps saw %d segments; agreed: %v; they differ: %v", len(all), segments, agreed, differ)
	// What never came up would be believed of anything.
	for _, d := range differences {
		if differ[d.name] == 0 {
			t.Errorf("nothing is %q any more", d.name)
		}
	}
	for _, a := range []analysis{retransmission, lostSegment, duplicateACK} {
		if agreed[a] == 0 {
			t.Errorf("of nothing both say %s", a)
		}
	}
}

// inTheirWords are marks as tshark would say them, in the order of analyses.
func inTheirWords(marks []mark) (words []analysis) {
	for _, a := range analyses {
		if slices.ContainsFunc(marks, func(m mark) bool { return alike[m] == a }) {
			words = append(words, a)
		}
	}
	return words
}

// mark finds out what we say of each segment of a view.
func (v *view) mark() {
	events := v.trial.Timeline()
	for n, seen := range v.seen {
		from := v.tap
		if !seen.Sent {
			from = from.Peer()
		}
		var marks []mark
		add := func(m mark, is bool) {
			if is && !slices.Contains(marks, m) {
				marks = append(marks, m)
			}
		}
		again := 0
		for _, r := range v.trial.Retransmissions {
			if r.From == from && r.Segment == v.texts[n] {
				again++
			}
		}
		// Of what is the same to the letter, the last ones are those sent again.
		add(sentAgain, v.later(n) < again)
		for _, o := range v.trial.Overtook {
			fast, slow := slices.Index(v.texts, o.FastSegment), slices.Index(v.texts, o.SlowSegment)
			if o.From == from && 0 <= fast && fast < slow { // else the tap saw them as they were made
				add(overtakes, n == fast)
				add(overtaken, n == slow)
			}
		}
		for _, e := range events {
			if !e.IsSegment || e.By != from || e.Text != v.texts[n] || !seen.Sent && e.At != seen.At {
				continue
			}
			for _, note := range e.Notes {
				add(challenge, strings.HasPrefix(note, string(challenge)))
				add(copied, !seen.Sent && note == string(copied))
				add(injected, !seen.Sent && strings.HasPrefix(note, string(injected)))
			}
		}
		v.marked = append(v.marked, marks)
	}
}

// later counts what looks like the n-th segment and comes after it.
func (v view) later(n int) (count int) {
	for i := n + 1; i < len(v.seen); i++ {
		if v.seen[i].Sent == v.seen[n].Sent && v.texts[i] == v.texts[n] {
			count++
		}
	}
	return count
}

// latest is the last segment before the n-th that is as wanted; -1 where none is.
func (v view) latest(n int, wanted func(segment.Sighting) bool) int {
	for i := n - 1; i >= 0; i-- {
		if wanted(v.seen[i]) {
			return i
		}
	}
	return -1
}

// highest is how far the sender of the n-th segment had come before, and since when.
func (v view) highest(n int) (end uint32, since time.Duration) {
	any := false
	for _, s := range v.seen[:n] {
		if s.Sent == v.seen[n].Sent && (!any || segment.Before(end, s.End())) {
			end, since, any = s.End(), s.At, true
		}
	}
	return end, since
}

// firstRoundTrip is how long the handshake took, from the SYN to the ACK.
func (v view) firstRoundTrip() time.Duration {
	i := slices.IndexFunc(v.seen, func(s segment.Sighting) bool { return s.Sent == v.seen[0].Sent && s.IsPureACK() })
	return v.seen[i].At - v.seen[0].At
}
