package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// unpack unpacks the luggage, which is so many octets of its disk.
func unpack(size int64) error {
	if size == 0 {
		return nil
	}
	defer keepAwake()()
	disk, err := os.OpenFile(guest.LuggagePath, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return fmt.Errorf("open the disk: %w", err)
	}
	defer disk.Close()
	archive := io.NewSectionReader(&direct{disk: disk, piece: make([]byte, directSize)}, 0, size)
	err = luggage.Unpack(archive, "/")
	var files unix.Statfs_t
	if errors.Is(err, unix.ENOSPC) && unix.Statfs("/", &files) == nil {
		return fmt.Errorf("%w: what is brought takes %d MiB, and the guest has room for %d MiB of files, half of its memory: give it more",
			err, size>>20, files.Blocks*uint64(files.Bsize)>>20)
	}
	return err
}

// A direct reads a disk from the front to the back without the page cache, in which
// everything would be in the memory once more: in pieces that are as large as O_DIRECT
// likes them, at multiples of their size.
type direct struct {
	disk  *os.File
	piece []byte
	begin int64 // of the piece on the disk
	size  int   // of what is in the piece
}

// directSize is the size of a piece, in octets. As O_DIRECT wants it, memory of that size
// begins with a page (open(2)).
const directSize = 1 << 20

// ReadAt is that of an io.ReaderAt.
func (d *direct) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at < d.begin || at >= d.begin+int64(d.size) {
			d.begin = at - at%directSize
			if d.size, err = d.disk.ReadAt(d.piece, d.begin); err != nil {
				return n, fmt.Errorf("read the disk: %w", err)
			}
		}
		copied := copy(p[n:], d.piece[at-d.begin:d.size])
		n, at = n+copied, at+int64(copied)
	}
	return n, nil
}
