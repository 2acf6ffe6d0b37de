package guest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An Errand is what the guest's program is to do. It is on the guest's disk and not
// in the initramfs: the disk is read only when a guest that was kept has been
// resumed.
//
// What was kept is the same in each guest that is resumed from it, and so is what
// the kernel would draw from its random number generator. Now and Seed make them
// differ.
type Errand struct {
	Args []string `json:"args,omitempty"` // without the program's own name
	// Now is the host's wall-clock time.
	Now time.Time `json:"now"`
	// Seed is for the guest's random number generator: octets that no other
	// guest gets.
	Seed []byte `json:"seed"`
	// Luggage is how many octets of the second disk are the archive of what the guest
	// is to unpack before its program starts.
	Luggage int64 `json:"luggage,omitempty"`
}

// The sizes of the disk, and of the one for the luggage, in octets. A guest that was kept
// goes on with disks of the size that they had before.
const (
	DiskSize    = 1 << 20
	LuggageSize = 4 << 30
)

// The disk begins with errandMagic and the length of the errand's JSON text in 8
// octets, big-endian; then comes the text.
const (
	errandMagic = "finwait1"
	errandBegin = len(errandMagic) + 8
)

// Encode gives the disk's content.
func (e Errand) Encode() ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode the guest's errand: %w", err)
	}
	if len(text) > DiskSize-errandBegin {
		return nil, fmt.Errorf("the guest's errand takes %d octets, and there is room for %d: give it fewer arguments",
			len(text), DiskSize-errandBegin)
	}
	disk := append(binary.BigEndian.AppendUint64([]byte(errandMagic), uint64(len(text))), text...)
	return append(disk, make([]byte, DiskSize-len(disk))...), nil
}

// ReadErrand reads the disk's content. The error says that it holds something else.
func ReadErrand(disk io.Reader) (e Errand, err error) {
	fail := func(err error) (Errand, error) { return Errand{}, fmt.Errorf("read the guest's errand: %w", err) }
	begin := make([]byte, errandBegin)
	if _, err := io.ReadFull(disk, begin); err != nil {
		return fail(err)
	}
	length := binary.BigEndian.Uint64(begin[len(errandMagic):])
	if string(begin[:len(errandMagic)]) != errandMagic || length > DiskSize {
		return fail(errors.New("the disk holds something else"))
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(disk, text); err != nil {
		return fail(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return fail(err)
	}
	return e, nil
}
