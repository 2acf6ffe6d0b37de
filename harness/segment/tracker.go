package segment

// A Tracker follows one connection from its SYN on, as far as selectors need
// it. Whoever stands between the two sides tells it what each has sent and what
// has been delivered, both as they happen. The zero value is ready for a new
// connection.
type Tracker struct {
	sides [2]memory
	count map[Selector]int
}

// memory is what a Tracker knows of one side.
type memory struct {
	fin   *uint32         // the sequence number after its FIN, once it has sent one
	acked *uint32         // the most that it has acknowledged
	given map[uint32]bool // the sequence numbers at which what it was given began
}

// A Seen is one segment as a Tracker has taken it in.
type Seen struct {
	from    Side
	segment Segment
	numbers map[Kind]int // for each kind that the segment is of, its number
}

// See takes in the next segment that a side has sent.
func (t *Tracker) See(from Side, s Segment) Seen {
	if t.count == nil {
		t.count = map[Selector]int{}
	}
	seen := Seen{from: from, segment: s, numbers: map[Kind]int{}}
	for _, kind := range selectable {
		if t.is(from, s, kind) {
			all := Selector{side: from, kind: kind}
			t.count[all]++
			seen.numbers[kind] = t.count[all]
		}
	}
	own := &t.sides[from]
	if s.Flags.Has(FIN) {
		end := s.End()
		own.fin = &end
	}
	if own.advances(s) {
		own.acked = &s.Ack
	}
	return seen
}

// Delivered takes in that a segment, which it has seen, has reached the other
// side.
func (t *Tracker) Delivered(seen Seen) {
	s, to := seen.segment, &t.sides[seen.from.Peer()]
	if s.End() == s.Seq {
		return
	}
	if to.given == nil {
		to.given = map[uint32]bool{}
	}
	to.given[s.Seq] = true
}

// is reports whether the next segment of a side is of a kind.
func (t *Tracker) is(from Side, s Segment, k Kind) bool {
	own := t.sides[from]
	switch k {
	case KindAdvancingACK:
		return s.IsPureACK() && own.advances(s)
	case KindChallengeACK:
		return s.IsPureACK() && !own.advances(s) && own.given[s.Ack]
	}
	return s.Is(k, t.sides[from.Peer()].fin)
}

// advances reports whether a segment acknowledges more than its sender had.
func (m memory) advances(s Segment) bool {
	return s.Flags.Has(ACK) && (m.acked == nil || Before(*m.acked, s.Ack))
}

// Is reports whether the segment is one that the selector picks.
func (s Seen) Is(sel Selector) bool {
	number, of := s.numbers[sel.kind]
	return of && s.from == sel.side && (sel.number == 0 || sel.number == number)
}
