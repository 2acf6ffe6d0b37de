package guest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// An Errand is what the guest is to do once it runs. It is on the guest's disk,
// with the program to run, and not in the initramfs: the disk is read only when a
// guest that was kept has been resumed.
//
// What was kept is the same in each guest that is resumed from it, and so is what
// the kernel would draw from its random number generator. Now and Seed make them
// differ.
type Errand struct {
	Payload Payload `json:"payload"`
	// Now is the host's wall-clock time.
	Now time.Time `json:"now"`
	// Seed is for the guest's random number generator: octets that no other
	// guest gets.
	Seed []byte `json:"seed"`
	// Size and CRC are those of the program that follows, in octets and by
	// Castagnoli's polynomial.
	Size int64  `json:"size"`
	CRC  uint32 `json:"crc"`
}

// A Payload is the program that the guest was booted for.
type Payload struct {
	Path string   `json:"path"`           // where to put it; empty where there is nothing to run
	Args []string `json:"args,omitempty"` // without the program's own name
	Env  []string `json:"env,omitempty"`  // KEY=VALUE, added to what init sets
}

// The disk begins with errandMagic and the length of the errand's JSON text in 8
// octets, big-endian; then come the text and the program.
const errandMagic = "finwait1"

// maxErrand bounds the errand's text, in octets, so that a disk of something else
// cannot fill the memory.
const maxErrand = 1 << 20

// WriteErrand writes the disk's content. It fills in Size and CRC; the program is
// read twice.
func WriteErrand(w io.Writer, e Errand, program io.ReadSeeker) error {
	sum := crc32.New(castagnoli)
	var err error
	if e.Size, err = io.Copy(sum, program); err != nil {
		return err
	}
	e.CRC = sum.Sum32()
	if _, err := program.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode the guest's errand: %w", err)
	}
	if len(text) > maxErrand {
		return fmt.Errorf("the guest's errand takes %d octets, and there is room for %d: give it fewer arguments", len(text), maxErrand)
	}
	begin := binary.BigEndian.AppendUint64([]byte(errandMagic), uint64(len(text)))
	if _, err := w.Write(append(begin, text...)); err != nil {
		return err
	}
	_, err = io.CopyN(w, program, e.Size)
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ReadErrand reads the disk's content, and writes the program to what create
// returns for it, if there is one. The error says that the disk holds something
// else, or not all of it.
func ReadErrand(disk io.Reader, create func(Payload) (io.WriteCloser, error)) (Errand, error) {
	fail := func(err error) (Errand, error) { return Errand{}, fmt.Errorf("read the guest's errand: %w", err) }
	r := bufio.NewReaderSize(disk, 1<<20)
	begin := make([]byte, len(errandMagic)+8)
	if _, err := io.ReadFull(r, begin); err != nil {
		return fail(err)
	}
	length := binary.BigEndian.Uint64(begin[len(errandMagic):])
	if string(begin[:len(errandMagic)]) != errandMagic || length > maxErrand {
		return fail(errors.New("the disk holds something else"))
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return fail(err)
	}
	var e Errand
	if err := json.Unmarshal(text, &e); err != nil {
		return fail(err)
	}
	if e.Payload.Path == "" {
		return e, nil
	}
	if err := e.unpack(r, create); err != nil {
		return fail(err)
	}
	return e, nil
}

func (e Errand) unpack(r io.Reader, create func(Payload) (io.WriteCloser, error)) error {
	program, err := create(e.Payload)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	_, err = io.CopyN(io.MultiWriter(program, sum), r, e.Size)
	if err := errors.Join(err, program.Close()); err != nil {
		return err
	}
	if sum.Sum32() != e.CRC {
		return errors.New("the program was damaged on its way to the guest")
	}
	return nil
}
