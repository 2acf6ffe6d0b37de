package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/finwait/finwait/harness/lab"
)

// markerType is IEEE 802's local experimental EtherType 1: no protocol stack
// has a handler for it.
const markerType = 0x88b5

var markerText = []byte("finwait marker")

// A marker sends frames that every tap of a link recognises. A tap that has
// seen a marker is live, and has been given every frame that went by before:
// frames and marker pass the same hook and the same queue.
type marker struct {
	file   *os.File
	end    *lab.End
	peer   *lab.End
	number uint64
}

func openMarker(end, peer *lab.End) (*marker, error) {
	// A socket's own tap does not see what the socket itself sends, so the
	// marker has a socket of its own; protocol 0 keeps it from receiving.
	fd, err := packetSocket(end, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket for markers on %s of %s: %w", end.Name, end.Host.Name, err)
	}
	return &marker{file: os.NewFile(uintptr(fd), "marker"), end: end, peer: peer}, nil
}

// send sends the next marker and returns what to look for.
func (m *marker) send() (octets []byte, err error) {
	m.number++
	octets = make([]byte, 0, 60)
	octets = append(octets, m.peer.MAC...)
	octets = append(octets, m.end.MAC...)
	octets = binary.BigEndian.AppendUint16(octets, markerType)
	octets = append(octets, markerText...)
	octets = binary.BigEndian.AppendUint64(octets, m.number)
	octets = append(octets, make([]byte, cap(octets)-len(octets))...)
	// The socket is bound: it knows its link.
	if _, err := m.file.Write(octets); err != nil {
		return nil, fmt.Errorf("send a marker from %s of %s: %w", m.end.Name, m.end.Host.Name, err)
	}
	return octets, nil
}

func (m *marker) close() { m.file.Close() }

// isMarker tells markers from everything else.
func isMarker(octets []byte) bool {
	const header = 14
	return len(octets) >= header+len(markerText) &&
		binary.BigEndian.Uint16(octets[12:]) == markerType &&
		bytes.Equal(octets[header:header+len(markerText)], markerText)
}
