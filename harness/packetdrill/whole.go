package packetdrill

import (
	"slices"

	"github.com/finwait/finwait/harness/segment"
)

// whole puts together again what an end's kernel made as one and then cut to what the
// link takes, up to the segment that it pushed: packetdrill's link takes it as it was
// made, and packetdrill puts together what is cut there.
func whole(sightings []segment.Sighting) []segment.Sighting {
	var out []segment.Sighting
	for i := 0; i < len(sightings); i++ {
		seen := sightings[i]
		for i+1 < len(sightings) && continues(seen, sightings[i+1]) {
			next := sightings[i+1]
			next.At, next.Seq, next.Length = seen.At, seen.Seq, seen.Length+next.Length
			seen = next
			i++
		}
		out = append(out, seen)
	}
	return slices.Clip(out)
}

// continues reports whether one kernel's segment can be the rest of another.
func continues(first, rest segment.Sighting) bool {
	bare := rest.Segment
	bare.Flags &^= segment.PSH | segment.FIN
	bare.Seq, bare.Length, bare.Window = first.Seq, first.Length, first.Window
	return first.Sent && rest.Sent && first.Length > 0 && rest.Length > 0 &&
		first.Length+rest.Length <= maxPayload && first.End() == rest.Seq && bare == first.Segment
}

// maxPayload is what one IP packet has room for, whatever its headers.
const maxPayload = 65535 - 40 - 60
