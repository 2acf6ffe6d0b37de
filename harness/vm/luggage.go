package vm

import (
	"fmt"
	"io"
	"math/bits"
	"os"
	"time"

	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A luggageDisk is a temporary file without a name. It has the same size whatever is on it,
// and what is empty of it takes no room.
type luggageDisk struct {
	file   *os.File
	packed int64 // octets that the archive takes
	memory int64 // octets that what is unpacked takes, at most
}

// pageSize is the piece, in octets, of the memory that a file takes in the guest.
const pageSize = 4096

func newLuggageDisk(l *luggage.Luggage) (*luggageDisk, error) {
	file, err := temporaryFile("luggage")
	if err != nil {
		return nil, err
	}
	disk := &luggageDisk{file: file}
	if err := disk.fill(l); err != nil {
		file.Close()
		return nil, temporaryError("the luggage", err)
	}
	return disk, nil
}

func (d *luggageDisk) fill(l *luggage.Luggage) error {
	if l != nil {
		if l.Size() > guest.LuggageSize { // of sparse files, much less need be there to be written
			return noRoomFor(l.Size())
		}
		if err := l.Write(d.file); err != nil {
			return err
		}
		var err error
		if d.packed, err = d.file.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		if d.packed > guest.LuggageSize {
			return noRoomFor(d.packed)
		}
	}
	d.memory = memoryFor(l)
	return d.file.Truncate(guest.LuggageSize)
}

func noRoomFor(octets int64) error {
	return fmt.Errorf("it takes %d MiB, and there is room for %d: bring less", octets>>20, guest.LuggageSize>>20)
}

// memoryFor is how many octets of the guest's memory it takes unpacked, at most.
func memoryFor(l *luggage.Luggage) int64 {
	if l == nil {
		return 0
	}
	return l.Size() + pageSize*int64(len(l.Paths()))
}

// patience is how much of the host's time the guest gets to unpack it: many times what
// it takes, 5 s for 150 MiB.
func (d *luggageDisk) patience() time.Duration {
	const leastPace = 2 << 20 // octets a second
	return time.Duration(d.packed) * time.Second / leastPace
}

// MemoryMiB is the memory in MiB of a Machine that does not name its own, and in which
// that luggage, or none, is unpacked.
func MemoryMiB(l *luggage.Luggage) int { return Machine{}.memoryMiB(0, memoryFor(l)) }

// smallLuggage is how many octets of luggage a guest has room for that has the memory of
// one without.
const smallLuggage = 40 << 20

// memoryMiB leaves room for an initramfs and luggage, sizes in octets: they are in the
// file system that the kernel makes of half of the memory at most. The rest is for
// programs. Where luggage counts, it is a power of two, so that few machines are kept.
func (m Machine) memoryMiB(initramfs, luggage int64) int {
	if m.MemoryMiB != 0 {
		return m.MemoryMiB
	}
	without := max(256, int(4*initramfs>>20))
	if luggage <= smallLuggage {
		return without
	}
	return 1 << bits.Len(uint(without+int(2*luggage>>20)-1))
}
