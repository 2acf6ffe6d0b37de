package segment

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Sighting is one segment as one tap saw it.
type Sighting struct {
	// At is the time since the beginning of the exchange.
	At time.Duration
	// Sent is true where the tap's own host sent the segment, false where the
	// host received it.
	Sent bool
	Segment
	// Frame is the beginning of the frame, at least up to the end of the TCP
	// header, from which Segment was read.
	Frame []byte
	// FrameLength is how long the frame was on the link, in octets.
	FrameLength int
}

// sightingJSON is how a record keeps a sighting: the frame itself, from which
// the segment is read again.
type sightingJSON struct {
	At          time.Duration `json:"at_ns"`
	Sent        bool          `json:"sent"`
	Frame       []byte        `json:"frame"`
	FrameLength int           `json:"frame_length"`
}

// MarshalJSON writes the frame, not what was read from it.
func (s Sighting) MarshalJSON() ([]byte, error) {
	return json.Marshal(sightingJSON{s.At, s.Sent, s.Frame, s.FrameLength})
}

// UnmarshalJSON reads the frame and the segment in it; a frame without a
// segment is an error.
func (s *Sighting) UnmarshalJSON(data []byte) error {
	var in sightingJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	decoded, err := NewDecoder().Decode(in.Frame)
	if err != nil {
		return fmt.Errorf("a recorded segment: %w", err)
	}
	*s = Sighting{At: in.At, Sent: in.Sent, Segment: decoded, Frame: in.Frame, FrameLength: in.FrameLength}
	return nil
}
