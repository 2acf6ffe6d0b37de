package vm

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// leastDisk is the least size of a disk, in octets. A kept machine goes on with a
// disk of the size that it has seen; this one is large enough for most payloads.
const leastDisk = 64 << 20

// newDisk writes the guest's errand to a temporary file without a name: the disk.
// Its size is a power of two; what is not written of it takes no room.
func newDisk(p Payload) (disk *os.File, size int64, err error) {
	disk, err = temporaryFile("disk")
	if err != nil {
		return nil, 0, err
	}
	if size, err = writeDisk(disk, p); err != nil {
		disk.Close()
		return nil, 0, temporaryError("the guest's disk", err)
	}
	return disk, size, nil
}

func writeDisk(disk *os.File, p Payload) (size int64, err error) {
	errand := guest.Errand{Now: time.Now(), Seed: make([]byte, 64)}
	_, _ = rand.Read(errand.Seed) // it never fails
	var program io.ReadSeeker = bytes.NewReader(nil)
	if p.Binary != "" {
		file, err := openProgram(p.Binary)
		if err != nil {
			return 0, fmt.Errorf("the payload: %w", err)
		}
		defer file.Close()
		program = file
		errand.Payload = guest.Payload{Path: path.Join("/bin", filepath.Base(p.Binary)), Args: p.Args, Env: p.Env}
	}
	buffer := bufio.NewWriterSize(disk, 1<<20)
	if err := guest.WriteErrand(buffer, errand, program); err != nil {
		return 0, err
	}
	if err := buffer.Flush(); err != nil {
		return 0, err
	}
	written, err := disk.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	size = leastDisk
	for size < written {
		size *= 2
	}
	return size, disk.Truncate(size)
}
